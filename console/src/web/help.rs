//! The page of shortcuts and states.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::App;
use super::answer::{Answer, page as show};
use super::frame::Frame;
use super::gate::Visit;
use crate::casebook::cases::CaseState;
use crate::words;

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage {
    p: Frame,
    keys: Vec<(&'static str, &'static str)>,
    states: Vec<(&'static str, &'static str)>,
}

/// `GET /help`
pub async fn page(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let p = Frame::new(&app, &visit);
    let (w, language) = (p.w, visit.language);
    show(&HelpPage {
        keys: vec![
            ("j  k", w.key_move),
            ("Enter", w.key_open),
            ("e", w.key_decide),
            ("a", w.key_assign),
            ("s", w.key_snooze),
            ("/", w.key_search),
            ("?", w.key_help),
        ],
        states: CaseState::ALL
            .map(|state| {
                let meaning = match state {
                    CaseState::Pending => w.state_pending_help,
                    CaseState::Working => w.state_working_help,
                    CaseState::Review => w.state_review_help,
                    CaseState::Closed => w.state_closed_help,
                    CaseState::Snoozed => w.state_snoozed_help,
                };
                (words::state(state, language), meaning)
            })
            .to_vec(),
        p,
    })
}
