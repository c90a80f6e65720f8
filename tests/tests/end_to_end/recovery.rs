//! Starts after an end of any kind: with topics that have less than they had, that are others, and with records that
//! came meanwhile.

use serde_json::json;

use crate::feeds::Feeds;
use crate::stage::{Broker, IN_CHINESE, IN_ENGLISH, Published, Stage, TOPICS};
use crate::{
    DEBTOR, HERE, PAYER, TAX, assert_nothing_new_after_start, assert_told, declaration, payment,
    policy_of_cases,
};

/// Two debtors are told of; the daemon is killed.
fn two_debtors(stage: &Stage, feeds: &mut Feeds, told: &mut usize) {
    stage.create_topics();
    let mut daemon = stage.start_daemon();
    stage.wait_until_ready(&mut daemon);
    let declared = feeds.record(TAX, HERE, None, declaration(DEBTOR, "50000.00"));
    feeds.record(TAX, HERE, None, declaration(PAYER, "25000.00"));
    let mut other = declaration(DEBTOR, "1.00");
    other["id"] = json!(declared);
    other["region"] = json!(HERE);
    feeds.raw(TAX, HERE, other.to_string().as_bytes());
    feeds.raw(TAX, HERE, b"{");
    feeds.close_all_but(&[], &[HERE], "2024-02-19");
    feeds.send(stage);
    let raised = [
        "raised arrears 91341002MA2TEXT08E - 12000.00 yellow 2024-02-16",
        "raised arrears 91341002MA2TEXT169 - 6000.00 blue 2024-02-16",
    ];
    assert_told(stage, &mut daemon, told, &raised);
    daemon.kill();
}

#[test]
fn what_retention_took_is_on_disk_and_late_facts_withdraw_after_a_start() {
    let Some(stage) = Stage::set("retention", Broker::Shared, &policy_of_cases(), 3) else {
        return;
    };
    let (mut feeds, mut told) = (Feeds::default(), 0);
    two_debtors(&stage, &mut feeds, &mut told);
    stage.verify_state().expect("the state is whole");
    for topic in TOPICS {
        let deleted = stage.broker.delete_records(&stage.topic(topic));
        deleted.expect("the broker deletes");
    }

    // With the dead letters of records that are no longer there, and another number of workers.
    let before = stage.seen();
    assert_eq!(before.dead_letters, 2);
    stage.set_workers(3);
    assert_nothing_new_after_start(&stage, &before).kill();

    // While nobody runs it comes to light that one had paid in time; the other pays a part.
    let late = feeds.record(TAX, HERE, Some(600_000), payment(PAYER, "2024-02-14"));
    feeds.record(TAX, HERE, Some(400_000), payment(DEBTOR, "2024-02-20"));
    feeds.close_all_but(&[], &[HERE], "2024-02-20");
    feeds.send(&stage);
    let mut daemon = stage.start_daemon();
    stage.wait_until_ready(&mut daemon);
    let changed = [
        "changed arrears 91341002MA2TEXT08E - 8000.00 blue 2024-02-16",
        "withdrawn arrears 91341002MA2TEXT169 - 0.00 blue 2024-02-16",
    ];
    assert_told(&stage, &mut daemon, &mut told, &changed);
    assert_withdrawn_by(&stage, &late);
    daemon.kill();

    // Without the state, too, there is no going on: it says so, and leaves everything as it is.
    let before = stage.seen();
    let files = stage.state_files();
    let whole: Vec<_> = files
        .iter()
        .map(|file| std::fs::read(file).expect("it can be read"))
        .collect();
    let damaged = stage.damage_state().display().to_string();
    let words = stage.refused_start();
    for word in [&damaged, "retention.ms", "accept_gap"] {
        assert!(words.contains(word), "{word} in {words}");
    }
    // Which topic's records came first, and so before the damage, is the broker's to say.
    assert!(TOPICS.iter().any(|topic| words.contains(topic)), "{words}");
    assert_eq!(stage.seen(), before);
    assert_eq!(stage.state_files(), files);
    for (file, bytes) in files.iter().zip(whole) {
        std::fs::write(file, bytes).expect("it can be written");
    }
    assert_nothing_new_after_start(&stage, &before);
}

/// Both were told that it is withdrawn, and by what.
fn assert_withdrawn_by(stage: &Stage, late: &str) {
    let published: Vec<Published> = stage.published();
    let withdrawn = published
        .iter()
        .find(|record| record.event == "withdrawn")
        .expect("it is on the topic");
    assert_eq!(withdrawn.value["cause"], json!(format!("{TAX}/{late}")));
    for recipient in [IN_CHINESE, IN_ENGLISH] {
        let name = (
            withdrawn.key.clone(),
            "withdrawn".to_owned(),
            withdrawn.revision,
        );
        let mails = stage.mails();
        let mail = mails
            .iter()
            .find(|mail| mail.to == recipient && mail.telling.as_ref() == Some(&name));
        let mail = mail.expect("it was mailed");
        assert!(mail.text.contains(late), "{}", mail.text);
    }
}

#[test]
fn a_topic_that_was_made_anew_is_not_read_on() {
    let Some(stage) = Stage::set("anew", Broker::Shared, &policy_of_cases(), 3) else {
        return;
    };
    let (mut feeds, mut told) = (Feeds::default(), 0);
    two_debtors(&stage, &mut feeds, &mut told);
    let before = stage.ends(TAX);
    stage
        .broker
        .make_anew(&stage.topic(TAX))
        .expect("the broker makes it");
    // More than there was before, so that no offset gives it away.
    for _ in 0..10 {
        feeds.record(TAX, HERE, Some(100), payment(PAYER, "2024-02-20"));
    }
    feeds.send(&stage);
    let now = stage.ends(TAX);
    assert!(before.iter().zip(now).all(|(before, now)| *before <= now));
    let words = stage.refused_start();
    for word in [TAX, "was made anew", "offset"] {
        assert!(words.contains(word), "{word} in {words}");
    }
}
