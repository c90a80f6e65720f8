//! Which mails are due now: what waits, made into mails by severity, group, digest and cap.
//!
//! Pure: rows of the store and the time in, mails to be made out. The same rows at the same time give
//! the same mails, so that a restart tells nobody twice and leaves nobody untold. What waits is given
//! in lots of alerts that are alike for every question asked here; their number depends on the pool's
//! regions and the recipients, never on how many alerts there are.

use std::collections::BTreeMap;

use domain::{Detector, Period, RegionCode, Severity};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::routing::{Pace, Pacing};

/// The cap is on mails within this.
pub const CAP_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailKind {
    /// One alert.
    Single,
    /// What is new of a detector in a region.
    Group,
    /// A failure of a whole region: many alerts of one month that are one matter.
    Wide,
    /// What gathered since the last digest.
    Digest,
    /// So many alerts at one time that single mails would be no help.
    Batch,
    /// So many mails within an hour that what is left is told in one.
    Overflow,
    /// Alerts of a group that are still open, though nothing new is to be said.
    Reminder,
    /// That the program watches, so that silence means something.
    Life,
}

impl MailKind {
    /// All of them.
    pub const ALL: [MailKind; 8] = [
        MailKind::Single,
        MailKind::Group,
        MailKind::Wide,
        MailKind::Digest,
        MailKind::Batch,
        MailKind::Overflow,
        MailKind::Reminder,
        MailKind::Life,
    ];

    /// The word in the store, in Message-IDs and headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            MailKind::Single => "single",
            MailKind::Group => "group",
            MailKind::Wide => "wide",
            MailKind::Digest => "digest",
            MailKind::Batch => "batch",
            MailKind::Overflow => "overflow",
            MailKind::Reminder => "reminder",
            MailKind::Life => "life",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<MailKind> {
        MailKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Alerts of which somebody is still to be told, and that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Who.
    pub recipient: i64,
    /// Of which detector.
    pub detector: Detector,
    /// Of which region.
    pub region: RegionCode,
    /// The gravest that they were since they wait.
    pub severity: Severity,
    /// Whether they are open now.
    pub is_open: bool,
    /// The month, if they are part of a failure of the region.
    pub wide: Option<Period>,
    /// How many.
    pub count: u64,
    /// Since when the oldest of them waits.
    pub since: Timestamp,
}

/// A detector in a region, or one month of it: what is told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Who is told.
    pub recipient: i64,
    /// The detector.
    pub detector: Detector,
    /// The region.
    pub region: RegionCode,
    /// The month, of a failure of the region.
    pub wide: Option<Period>,
}

/// When a group was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// The last mail.
    pub last: Timestamp,
    /// Reminders since the last news.
    pub repeats: u32,
}

/// Mails of the last hour to a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How many.
    pub count: u64,
    /// The oldest.
    pub oldest: Timestamp,
}

/// Why mails on some alerts are held back: a silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Of this detector; `None`: of all.
    pub detector: Option<Detector>,
    /// Of this region; `None`: of all.
    pub region: Option<RegionCode>,
    /// Until then.
    pub until: Timestamp,
}

/// What else the decision rests on.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The groups that were ever told.
    pub groups: BTreeMap<GroupKey, GroupState>,
    /// By recipient.
    pub sent: BTreeMap<i64, Sent>,
    /// Silences that are in force.
    pub holds: Vec<Hold>,
    /// Detectors of absence and the regions in which a feed that they wait for is silent.
    pub blind: Vec<(Detector, RegionCode)>,
}

/// A mail to be made; of `Single`, one for each alert of the lots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// To whom.
    pub recipient: i64,
    /// About what.
    pub kind: MailKind,
    /// The group that was told thereby.
    pub group: Option<GroupKey>,
    /// The lots that it takes, by place.
    pub lots: Vec<usize>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The mails that are due.
    pub due: Vec<Due>,
    /// Groups that are to be reminded of, if any of their alerts is still open.
    pub reminders: Vec<GroupKey>,
    /// When to ask again, should nothing happen until then.
    pub next: Option<Timestamp>,
}

impl Plan {
    fn not_before(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// What is due to one recipient.
#[derive(Default)]
struct Desk {
    at_once: Vec<usize>,
    at_once_count: u64,
    groups: BTreeMap<GroupKey, (Vec<usize>, Timestamp)>,
    digest: Vec<usize>,
    digest_since: Option<Timestamp>,
}

/// Decides which mails are due.
pub fn plan(lots: &[Lot], known: &Known, pacing: &Pacing, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut desks: BTreeMap<i64, Desk> = BTreeMap::new();
    for (at, lot) in lots.iter().enumerate() {
        if let Some(until) = known.held_until(lot) {
            plan.not_before(until);
        } else if !known.is_inhibited(lot) {
            desks.entry(lot.recipient).or_default().put(at, lot, pacing);
        }
    }
    for (recipient, desk) in desks {
        desk.settle(recipient, known, pacing, now, &mut plan);
    }
    remind(known, pacing, now, &mut plan);
    plan
}

impl Known {
    /// Until when the last of the silences that cover a lot holds it back.
    fn held_until(&self, lot: &Lot) -> Option<Timestamp> {
        self.hold_of(lot.detector, lot.region)
    }

    fn hold_of(&self, detector: Detector, region: RegionCode) -> Option<Timestamp> {
        let covers = |hold: &&Hold| {
            hold.detector.is_none_or(|held| held == detector)
                && hold.region.is_none_or(|held| held == region)
        };
        let until = |hold: &Hold| hold.until;
        self.holds.iter().filter(covers).map(until).max()
    }

    /// A feed's silence is not a payer's silence; that something is over is told all the same.
    fn is_inhibited(&self, lot: &Lot) -> bool {
        lot.is_open && self.blind.contains(&(lot.detector, lot.region))
    }

    /// How many more mails a recipient may get now.
    fn room(&self, recipient: i64, pacing: &Pacing) -> u64 {
        let sent = self.sent.get(&recipient).map_or(0, |sent| sent.count);
        pacing.per_hour_max.saturating_sub(sent)
    }
}

impl Desk {
    fn put(&mut self, at: usize, lot: &Lot, pacing: &Pacing) {
        let group = GroupKey {
            recipient: lot.recipient,
            detector: lot.detector,
            region: lot.region,
            wide: lot.wide,
        };
        let pace = match lot.wide {
            Some(_) => Pace::Grouped,
            None => pacing.pace(lot.detector, lot.region, lot.severity),
        };
        match pace {
            Pace::AtOnce => {
                self.at_once.push(at);
                self.at_once_count += lot.count;
            }
            Pace::Grouped => {
                let (lots, since) = self.groups.entry(group).or_insert((Vec::new(), lot.since));
                lots.push(at);
                *since = lot.since.min(*since);
            }
            Pace::Digest => {
                self.digest.push(at);
                let since = self.digest_since.map_or(lot.since, |at| at.min(lot.since));
                self.digest_since = Some(since);
            }
        }
    }

    /// Adds what is due to the plan.
    fn settle(
        mut self,
        recipient: i64,
        known: &Known,
        pacing: &Pacing,
        now: Timestamp,
        plan: &mut Plan,
    ) {
        self.groups.retain(|key, (_, since)| {
            let waited = later(*since, pacing.group_wait);
            let last = known.groups.get(key).map(|state| state.last);
            let paused = last.map_or(waited, |last| later(last, pacing.group_interval));
            let due = waited.max(paused);
            let is_due = due <= now;
            if !is_due {
                plan.not_before(due);
            }
            is_due
        });
        if let Some(since) = self.digest_since {
            let due = pacing.timetable.digest_after(since);
            if now < due {
                plan.not_before(due);
                self.digest.clear();
            }
        }
        let is_batch = pacing.batch_max < self.at_once_count;
        let singles = if is_batch { 1 } else { self.at_once_count };
        let wanted = singles + self.groups.len() as u64 + u64::from(!self.digest.is_empty());
        let room = known.room(recipient, pacing);
        if wanted == 0 {
            return;
        }
        if room == 0 {
            // As soon as the oldest mail of the last hour is older.
            let oldest = known.sent.get(&recipient).map_or(now, |sent| sent.oldest);
            plan.not_before(later(oldest, CAP_WINDOW));
            return;
        }
        if room < wanted {
            let grouped = self.groups.into_values().flat_map(|(lots, _)| lots);
            let mut lots: Vec<usize> = self.at_once.into_iter().chain(grouped).collect();
            lots.extend(self.digest);
            lots.sort_unstable();
            plan.due.push(Due {
                recipient,
                kind: MailKind::Overflow,
                group: None,
                lots,
            });
            return;
        }
        self.emit(recipient, is_batch, plan);
    }

    fn emit(self, recipient: i64, is_batch: bool, plan: &mut Plan) {
        let due = |kind, group, lots| Due {
            recipient,
            kind,
            group,
            lots,
        };
        if !self.at_once.is_empty() {
            let kind = if is_batch {
                MailKind::Batch
            } else {
                MailKind::Single
            };
            plan.due.push(due(kind, None, self.at_once));
        }
        for (key, (lots, _)) in self.groups {
            let kind = match key.wide {
                Some(_) => MailKind::Wide,
                None => MailKind::Group,
            };
            plan.due.push(due(kind, Some(key), lots));
        }
        if !self.digest.is_empty() {
            plan.due.push(due(MailKind::Digest, None, self.digest));
        }
    }
}

/// Adds the groups that had no news for long.
fn remind(known: &Known, pacing: &Pacing, now: Timestamp, plan: &mut Plan) {
    let Some(pause) = pacing.group_repeat else {
        return;
    };
    for (key, state) in &known.groups {
        if pacing.group_repeats_max <= state.repeats || key.wide.is_some() {
            continue;
        }
        let due = later(state.last, pause);
        let held = known.hold_of(key.detector, key.region);
        let has_news = plan.due.iter().any(|due| due.group == Some(*key));
        if now < due {
            plan.not_before(due);
        } else if let Some(until) = held {
            plan.not_before(until);
        } else if !has_news && 1 < known.room(key.recipient, pacing) {
            plan.reminders.push(*key);
        }
    }
}

/// A time later, never before the earlier one.
fn later(at: Timestamp, pause: SignedDuration) -> Timestamp {
    at.checked_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_kit::{now, pacing, region};
    use Severity::{Blue, Orange, Red, Yellow};

    /// A lot of arrears that waits since `ago` seconds.
    fn lot(recipient: i64, severity: Severity, count: u64, ago: i64) -> Lot {
        Lot {
            recipient,
            detector: Detector::Arrears,
            region: region("341002"),
            severity,
            is_open: true,
            wide: None,
            count,
            since: now() - SignedDuration::from_secs(ago),
        }
    }

    fn group(recipient: i64) -> GroupKey {
        GroupKey {
            recipient,
            detector: Detector::Arrears,
            region: region("341002"),
            wide: None,
        }
    }

    /// The kinds that are due, each with the places of its lots.
    fn due(lots: &[Lot], known: &Known) -> Vec<(MailKind, Vec<usize>)> {
        let plan = plan(lots, known, &pacing(), now());
        plan.due
            .into_iter()
            .map(|due| (due.kind, due.lots))
            .collect()
    }

    fn after(seconds: i64) -> Option<Timestamp> {
        Some(now() + SignedDuration::from_secs(seconds))
    }

    /// It is Monday 16:00 in the pool.
    #[test]
    fn each_severity_has_its_time() {
        let none = Known::default();
        for (severity, ago, expected) in [
            (Red, 0, vec![(MailKind::Single, vec![0])]),
            (Orange, 29, vec![]),
            (Orange, 30, vec![(MailKind::Group, vec![0])]),
            (Yellow, 60, vec![]),
            (Blue, 7 * 3_600, vec![]),
            // Since before 08:30.
            (Yellow, 8 * 3_600, vec![(MailKind::Digest, vec![0])]),
        ] {
            let lots = [lot(1, severity, 1, ago)];
            assert_eq!(due(&lots, &none), expected, "{severity:?} {ago}");
        }
        let lots = [lot(1, Orange, 1, 10), lot(1, Yellow, 1, 0)];
        assert_eq!(plan(&lots, &none, &pacing(), now()).next, after(20));
        let next = plan(&lots[1..], &none, &pacing(), now()).next;
        assert_eq!(next, Some("2024-04-02T00:30:00Z".parse().unwrap()));
    }

    #[test]
    fn a_group_pauses_between_its_mails_and_is_repeated_while_nothing_is_new() {
        let mut known = Known::default();
        let told = |ago: i64, repeats| GroupState {
            last: now() - SignedDuration::from_secs(ago),
            repeats,
        };
        let lots = [lot(1, Orange, 1, 60)];
        known.groups.insert(group(1), told(299, 0));
        assert_eq!(due(&lots, &known), []);
        known.groups.insert(group(1), told(300, 0));
        assert_eq!(due(&lots, &known), [(MailKind::Group, vec![0])]);
        let reminders = |known: &Known, lots: &[Lot]| plan(lots, known, &pacing(), now()).reminders;
        for (ago, repeats, is_due) in [
            (4 * 3_600 - 1, 0, false),
            (4 * 3_600, 0, true),
            (4 * 3_600, 2, true),
            (4 * 3_600, 3, false),
        ] {
            known.groups.insert(group(1), told(ago, repeats));
            let expected = if is_due { vec![group(1)] } else { vec![] };
            assert_eq!(reminders(&known, &[]), expected, "{ago} {repeats}");
        }
        // News is no reminder.
        known.groups.insert(group(1), told(4 * 3_600, 0));
        assert_eq!(reminders(&known, &lots), []);
    }

    #[test]
    fn too_much_at_once_is_one_mail_and_so_is_what_exceeds_the_hour() {
        let mut known = Known::default();
        assert_eq!(
            due(&[lot(1, Red, 20, 0)], &known),
            [(MailKind::Single, vec![0])]
        );
        assert_eq!(
            due(&[lot(1, Red, 21, 0)], &known),
            [(MailKind::Batch, vec![0])]
        );
        let sent = |count| Sent {
            count,
            oldest: now() - SignedDuration::from_mins(40),
        };
        known.sent.insert(1, sent(25));
        let lots = [
            lot(1, Red, 5, 0),
            lot(1, Orange, 9, 60),
            lot(2, Red, 5, 0),
            lot(1, Yellow, 4, 8 * 3_600),
        ];
        // 5 + 1 + 1 are more than the 5 that are left of 30; the other recipient is not concerned.
        assert_eq!(
            due(&lots, &known),
            [
                (MailKind::Overflow, vec![0, 1, 3]),
                (MailKind::Single, vec![2])
            ]
        );
        known.sent.insert(1, sent(23));
        assert_eq!(due(&lots, &known).len(), 4);
        known.sent.insert(1, sent(30));
        let full = plan(&lots[..1], &known, &pacing(), now());
        assert_eq!((full.due, full.next), (vec![], after(20 * 60)));
    }

    #[test]
    fn silences_and_silent_feeds_hold_back() {
        let mut known = Known::default();
        known.holds.push(Hold {
            detector: Some(Detector::Arrears),
            region: None,
            until: now() + SignedDuration::from_secs(90),
        });
        let lots = [lot(1, Red, 1, 0)];
        let held = plan(&lots, &known, &pacing(), now());
        assert_eq!((held.due, held.next), (vec![], after(90)));
        known.holds[0].region = Some(region("341021"));
        assert_eq!(due(&lots, &known).len(), 1);
        known.holds.clear();

        known.blind = vec![(Detector::Arrears, region("341002"))];
        assert_eq!(due(&lots, &known), []);
        let mut over = lots[0].clone();
        over.is_open = false;
        assert_eq!(due(&[over], &known).len(), 1, "what is over is told");
        known.blind = vec![(Detector::Arrears, region("341021"))];
        assert_eq!(due(&lots, &known).len(), 1, "another region's feed");
    }

    #[test]
    fn a_failure_of_a_region_is_a_group_whatever_the_severity() {
        let month = Period::from_ym(2024, 3);
        let mut small = lot(1, Blue, 4_000, 30);
        small.wide = month;
        let plan = plan(&[small], &Known::default(), &pacing(), now());
        assert_eq!(plan.due[0].kind, MailKind::Wide);
        assert_eq!(plan.due[0].group.unwrap().wide, month);
    }
}
