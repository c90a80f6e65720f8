//! Two processes that share the partitions: what one of them has on disk alone, and what it takes to be let in.

use acceptance::daemon::Daemon;

use crate::stage::{Broker, SOON, Stage, TOPICS, assert_hides};
use crate::{City, assert_same_store, huangshan, to_kafka};

/// Starts the second process, once the first one waits for it, and waits until both work.
fn join(stage: &Stage, leader: &mut Daemon) -> Daemon {
    let follower = stage.start_process(1);
    stage.wait_until_ready(leader);
    follower
}

#[test]
fn what_one_process_had_is_missed_when_it_is_not_there() {
    let Some(stage) = Stage::set("cluster", Broker::Shared, &huangshan(), 1) else {
        return;
    };
    let city = City::build(&stage);
    stage.create_topics();
    acceptance::peer::run(&mut to_kafka(&stage, None)).expect("the city is sent");

    stage.share_among_two("workers = 2");
    let mut leader = stage.start_process(0);
    stage.share_among_two("workers = 3");
    let words = stage.refused_process(1);
    assert!(
        words.contains("workers is 3 in process 1 and 2 in process 0"),
        "{words}"
    );
    stage.share_among_two("workers = 2");
    let mut follower = join(&stage, &mut leader);
    stage.wait_until_settled(&mut leader);
    assert_same_store(&stage, &city);
    for process in [&leader, &follower] {
        let metrics = process.get("/metrics").expect("metrics are served").body;
        assert_hides(&city.numbers, "the metrics", &metrics);
        let words = process.words().expect("there is a log");
        assert_hides(&city.numbers, "the log", &words);
    }
    follower.kill();
    assert_eq!(leader.ended_within(SOON), Some(3), "{:?}", leader.words());

    let before = stage.seen();
    for topic in TOPICS {
        let deleted = stage.broker.delete_records(&stage.topic(topic));
        deleted.expect("the broker deletes");
    }
    let words = stage.refused_start();
    for word in ["in the state of process 1", "start 2 processes again"] {
        assert!(words.contains(word), "{word} in {words}");
    }
    assert_eq!(stage.seen(), before);

    let mut leader = stage.start_process(0);
    let mut follower = join(&stage, &mut leader);
    stage.wait_until_settled(&mut leader);
    assert_eq!(stage.seen(), before);
    assert_eq!(leader.stop(), Some(0), "{:?}", leader.words());
    assert_eq!(follower.ended_within(SOON), Some(3), "it was not asked");
}
