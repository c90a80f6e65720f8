//! Which process reads which partition.
//!
//! A partition is read by the process that has the longest log of it, so that nothing is read twice. Only where that
//! leaves one with much more than its part, as after a process was added, are they dealt anew: then each keeps as much as
//! its part is, and the rest goes to whoever has least, who reads it from the topic, if the topic still has all of it.

use std::cmp::Reverse;

use ingest::kafka::Partition;
use state::{Log, NamedPosition, Position, Positions};

/// What a process has on disk.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// How far it knows partitions.
    pub positions: Positions,
    /// What of it is damaged, in words.
    pub damage: Option<String>,
}

impl Holding {
    /// What a log has.
    pub fn of(log: &Log) -> Holding {
        Holding {
            positions: log.positions().clone(),
            damage: log.damage().map(ToString::to_string),
        }
    }

    /// As a process says it to another; `None` if there can be no such positions.
    pub fn named(positions: &[NamedPosition], damage: Option<String>) -> Option<Holding> {
        Some(Holding {
            positions: positions
                .iter()
                .map(NamedPosition::position)
                .collect::<Option<_>>()?,
            damage,
        })
    }

    /// How far it knows a partition.
    pub fn position(&self, partition: &Partition) -> Position {
        let key = (partition.topic, partition.partition);
        self.positions.get(&key).copied().unwrap_or_default()
    }
}

/// The process that reads each of the partitions, in their order.
pub fn assign(partitions: &[Partition], holdings: &[Holding]) -> Vec<usize> {
    let whole: i64 = partitions.iter().map(size).sum();
    let processes = i64::try_from(holdings.len()).unwrap_or(i64::MAX).max(1);
    let part = whole.div_euclid(processes) + 1;
    let kept = deal(partitions, holdings, i64::MAX);
    let mut loads = vec![0; holdings.len()];
    for (partition, process) in partitions.iter().zip(&kept) {
        loads[*process] += size(partition);
    }
    // Half as much again as its part: what grows unevenly is not moved about at every start.
    if loads.iter().all(|load| *load <= part + part / 2) {
        return kept;
    }
    deal(partitions, holdings, part)
}

/// Those that are empty are dealt in turn.
fn size(partition: &Partition) -> i64 {
    partition.high.max(1)
}

/// The longest first, each to the process that knows most of it while that has no more than `most`, else to the one that
/// has least to read.
fn deal(partitions: &[Partition], holdings: &[Holding], most: i64) -> Vec<usize> {
    let mut longest_first: Vec<usize> = (0..partitions.len()).collect();
    longest_first.sort_by_key(|at| {
        let partition = &partitions[*at];
        (
            Reverse(partition.high),
            partition.topic,
            partition.partition,
        )
    });
    let mut loads = vec![0_i64; holdings.len()];
    let mut dealt = vec![0; partitions.len()];
    for at in longest_first {
        let partition = &partitions[at];
        let known = |process: usize| holdings[process].position(partition).next;
        let longest = (0..holdings.len()).map(known).max().unwrap_or_default();
        let least = |processes: &dyn Fn(usize) -> bool| {
            (0..holdings.len())
                .filter(|process| processes(*process))
                .min_by_key(|process| (loads[*process], *process))
        };
        let holder = least(&|process| known(process) == longest);
        // Whoever knows nothing of it can read it all the same if the topic has it from there on.
        let anybody = least(&|process| partition.low <= known(process));
        let fits = |process: usize| loads[process].saturating_add(size(partition)) <= most;
        let process = holder
            .filter(|holder| longest > 0 && fits(*holder))
            .or(anybody)
            .or(holder)
            .unwrap_or_default();
        loads[process] += size(partition);
        dealt[at] = process;
    }
    dealt
}

#[cfg(test)]
mod tests {
    use domain::Topic;

    use super::*;

    fn partitions(highs: &[i64]) -> Vec<Partition> {
        (0..)
            .zip(highs)
            .map(|(partition, high)| Partition {
                topic: Topic::AgencyPayout,
                partition,
                low: 0,
                high: *high,
            })
            .collect()
    }

    fn holding(known: &[(i32, i64)]) -> Holding {
        let positions = known.iter().map(|(partition, next)| {
            let position = Position {
                next: *next,
                ..Position::default()
            };
            ((Topic::AgencyPayout, *partition), position)
        });
        Holding {
            positions: positions.collect(),
            damage: None,
        }
    }

    #[test]
    fn at_first_each_has_about_as_much() {
        let new = [holding(&[]), holding(&[])];
        let dealt = assign(&partitions(&[90, 40, 30, 20, 10, 0, 0, 0]), &new);
        // 90 + 10 against 40 + 30 + 20, and the empty ones to whoever has less.
        assert_eq!(dealt, [0, 1, 1, 1, 0, 1, 1, 1]);
        assert_eq!(assign(&partitions(&[5, 5]), &new[..1]), [0, 0]);
        assert_eq!(assign(&[], &new), [0; 0]);
    }

    #[test]
    fn whoever_has_the_longest_log_reads_on() {
        let held = [
            holding(&[(0, 10), (1, 9), (2, 4)]),
            holding(&[(1, 10), (2, 12), (3, 7)]),
        ];
        assert_eq!(assign(&partitions(&[12, 12, 12, 12]), &held), [0, 1, 1, 1]);
    }

    #[test]
    fn a_process_that_is_new_gets_its_part_and_one_that_is_gone_leaves_its_own() {
        let all = holding(&[(0, 10), (1, 10), (2, 10), (3, 10)]);
        let dealt = assign(&partitions(&[10, 10, 10, 10]), &[all.clone(), holding(&[])]);
        assert_eq!(dealt.iter().filter(|process| **process == 1).count(), 2);
        assert_eq!(assign(&partitions(&[10, 10, 10, 10]), &[all]), [0, 0, 0, 0]);
    }

    #[test]
    fn what_the_topic_has_lost_stays_with_whoever_has_it() {
        let mut lost = partitions(&[10, 10, 10, 10]);
        lost.iter_mut().for_each(|partition| partition.low = 5);
        let all = holding(&[(0, 10), (1, 10), (2, 10), (3, 10)]);
        let dealt = assign(&lost, &[all, holding(&[(2, 6)])]);
        assert_eq!(
            dealt,
            [0, 0, 1, 0],
            "only partition 2 can be read on from 6"
        );
        // What nobody has goes to somebody, where it is said that it is lost.
        assert_eq!(assign(&lost, &[holding(&[]), holding(&[])]).len(), 4);
    }

    #[test]
    fn uneven_growth_moves_nothing() {
        let held = [holding(&[(0, 50)]), holding(&[(1, 50), (2, 1)])];
        assert_eq!(assign(&partitions(&[140, 60, 1]), &held), [0, 1, 1]);
    }
}
