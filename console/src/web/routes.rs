//! Every route with the right that it asks for. The router is made of this table, and so is the test that tries each
//! role on each route: a route without an entry cannot exist. The API has a table of its own, made in the same way.

use axum::http::Method;
use axum::routing::MethodRouter;
use std::sync::Arc;

use super::{
    App, account, alert, assets, audit, export, help, letters, login, oidc, people, precision,
    queue, subject, work,
};
use crate::rights::Right;

/// An entry of the table.
pub struct Route {
    /// GET changes nothing; POST carries the form's token, or at the API the owner's.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// What it asks for.
    pub right: Right,
    /// What answers.
    pub make: fn() -> MethodRouter<Arc<App>>,
}

macro_rules! routes {
    ($table:ident: $($method:ident $path:literal $right:ident $handler:path;)*) => {
        /// The table.
        pub static $table: &[Route] = &[$(routes!(@ $method $path $right $handler),)*];
    };
    (@ GET $path:literal $right:ident $handler:path) => {
        Route {
            method: axum::http::Method::GET,
            path: $path,
            right: Right::$right,
            make: || axum::routing::get($handler),
        }
    };
    (@ POST $path:literal $right:ident $handler:path) => {
        Route {
            method: axum::http::Method::POST,
            path: $path,
            right: Right::$right,
            make: || axum::routing::post($handler),
        }
    };
}

pub(super) use routes;

routes! { ROUTES:
    GET  "/static/{name}"            Open         assets::file;
    GET  "/"                         Own          login::home;
    GET  "/login"                    Open         login::page;
    POST "/login"                    Open         login::log_in;
    POST "/login/oidc"               Open         oidc::begin;
    GET  "/login/oidc/back"          Open         oidc::back;
    GET  "/login/oidc/code"          Open         oidc::code_page;
    POST "/login/oidc/code"          Open         oidc::code;
    POST "/logout"                   Own          login::log_out;
    GET  "/enrol"                    Open         login::enrol_page;
    POST "/enrol"                    Open         login::enrol_token;
    POST "/enrol/finish"             Open         login::enrol;
    POST "/enrol/oidc"               Open         oidc::enrol;
    POST "/preferences"              Open         account::preferences;
    GET  "/account"                  Own          account::page;
    POST "/account/password"         Own          account::password;
    POST "/account/tokens/make"      SeeCases     account::make_token;
    POST "/account/tokens/revoke"    Own          account::revoke_token;
    GET  "/help"                     Own          help::page;

    GET  "/alerts"                   SeeCases     queue::page;
    POST "/alerts/search"            SeeCases     queue::search_for;
    POST "/alerts/bulk"              Work         work::bulk;
    POST "/alerts/export"            Export       export::export;
    POST "/views/save"               SeeCases     queue::save_view;
    POST "/views/forget"             SeeCases     queue::forget_view;
    GET  "/alerts/{id}"              SeeCases     alert::page;
    POST "/alerts/{id}/reveal"       Reveal       alert::reveal;
    POST "/alerts/{id}/raw"          Reveal       alert::raw;
    GET  "/alerts/{id}/subject"      SeeCases     subject::page;
    POST "/alerts/{id}/subject/reveal" Reveal     subject::reveal;
    POST "/alerts/{id}/assign"       Work         work::assign;
    POST "/alerts/{id}/note"         Work         work::note;
    POST "/alerts/{id}/snooze"       Work         work::snooze;
    POST "/alerts/{id}/resume"       Work         work::resume;
    POST "/alerts/{id}/decide"       Work         work::decide;
    POST "/alerts/{id}/reopen"       Work         work::reopen;
    POST "/alerts/{id}/advance"      Work         work::advance;
    POST "/alerts/{id}/letter"       Work         letters::issue;
    POST "/alerts/{id}/answer"       Approve      work::answer;
    GET  "/letters/{n}"              SeeCases     letters::page;
    GET  "/precision"                SeeCases     precision::page;

    GET  "/audit"                    SeeAudit     audit::page;

    GET  "/people"                   ManagePeople people::page;
    POST "/people/add"               ManagePeople people::add;
    POST "/people/change"            ManagePeople people::change;
    POST "/people/token"             ManagePeople people::token;
    POST "/people/sessions"          ManagePeople people::end_sessions;
}
