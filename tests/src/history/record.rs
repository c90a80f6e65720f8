//! Random records: what is said, not how it is spelt.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Dice, Stage};
use crate::reference::facts::Topic;
use crate::reference::identifiers;
use crate::reference::money::Fen;
use crate::reference::period::{Period, plus_days};

/// A record, its fields in the contract's order.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) topic: Topic,
    pub(super) kind: &'static str,
    pub(super) fields: Vec<(&'static str, Value)>,
}

/// What a field says.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Person(String),
    Enterprise(String),
    Amount(Fen),
    Count(u64),
    /// An optional field that says nothing.
    Nothing,
}

impl Value {
    fn same_text(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(own), Self::Text(other))
            | (Self::Person(own), Self::Person(other))
            | (Self::Enterprise(own), Self::Enterprise(other)) => own == other,
            _ => false,
        }
    }
}

impl Record {
    fn get(&self, field: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value)
    }

    fn text(&self, field: &str) -> String {
        match self.fields.iter().find(|(name, _)| *name == field) {
            Some((_, Value::Text(text) | Value::Person(text) | Value::Enterprise(text))) => {
                text.clone()
            }
            other => unreachable!("`{field}` is no text but {other:?}"),
        }
    }

    fn set(&mut self, field: &str, value: Value) {
        for (name, old) in &mut self.fields {
            if *name == field {
                *old = value.clone();
            }
        }
    }
}

/// What records of one history are made from.
struct World<'a> {
    stage: &'a Stage,
    regions: Vec<&'static str>,
    enterprises: Vec<String>,
    persons: Vec<String>,
    items: Vec<&'static str>,
    amounts: Vec<Fen>,
    /// All types number their ids under one letter, so that an id names records of several types.
    one_letter: bool,
    stage_of_one_period: bool,
    numbers: BTreeMap<(&'static str, String), usize>,
}

/// The records of a history.
pub(super) fn random(dice: &mut Dice, stage: &Stage) -> Vec<Record> {
    let mut world = World::random(dice, stage);
    let mut count = dice.pick(&[4, 12, 25, 40, 70]);
    let mut kinds = weighted_kinds(dice);
    if dice.chance(2) {
        // More payouts of one item than evidence names.
        (count, kinds) = (220, vec!["payout"]);
        world.items = vec!["gift"];
        world.stage_of_one_period = true;
    }
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..count {
        let kind = dice.pick(&kinds);
        let record = world.record(dice, kind, &records);
        records.push(record);
    }
    if dice.chance(30) {
        for _ in 0..dice.below(5) {
            let conflict = world.conflict(dice, &records);
            records.push(conflict);
        }
    }
    records
}

/// Every type, some more often: now the enterprises, now the persons, now the treasuries.
fn weighted_kinds(dice: &mut Dice) -> Vec<&'static str> {
    const TAX: [&str; 7] = [
        "enterprise",
        "declaration",
        "declaration",
        "payroll",
        "payment",
        "payment",
        "payment_reversal",
    ];
    const PERSONS: [&str; 9] = [
        "payout",
        "payout",
        "payout",
        "payout",
        "payout_reversal",
        "payout_reversal",
        "beneficiary",
        "death",
        "death_cancelled",
    ];
    const TREASURY: [&str; 4] = ["transfer", "transfer", "payment", "payment_reversal"];
    let mut kinds = vec!["day_close"];
    let weights = dice.pick(&[
        (1, 1, 1),
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (3, 0, 1),
        (0, 3, 1),
    ]);
    for (list, weight) in [
        (TAX.as_slice(), weights.0),
        (&PERSONS, weights.1),
        (&TREASURY, weights.2),
    ] {
        for _ in 0..weight {
            kinds.extend_from_slice(list);
        }
    }
    kinds
}

impl<'a> World<'a> {
    fn random(dice: &mut Dice, stage: &'a Stage) -> Self {
        let one_letter = dice.chance(15);
        let all_items = [
            "basic_pension",
            "basic_pension",
            "basic_pension",
            "heating",
            "funeral_grant",
            "gift",
        ];
        let all_regions = ["341002", "341021", "341000"];
        // Where one id names two records of a day, "the evidence's latest fact" may be either: one region then.
        let regions = if one_letter {
            &all_regions[..1]
        } else {
            &all_regions[..]
        };
        let persons = [
            "11010519491231002X",
            "341002195203100007",
            "34109919480707000X",
            "341099194001010008",
            "440305200002291233",
        ];
        let enterprises = [
            "91341002MA2TEXT08E",
            "91341002MA2TEXT169",
            "91341099XXXX00051X",
            "91341099XXXX002970",
        ];
        let mut amounts = vec![0, 1, 10_000, 24_000, 24_000, 300_000, 300_001];
        for _ in 0..3 {
            amounts.push(Fen::from(dice.between(1, 5_000_000)));
        }
        if dice.chance(5) {
            amounts.push(99_999_999_999_999);
        }
        let mut persons: Vec<String> = persons
            .iter()
            .filter_map(|text| identifiers::person(text))
            .collect();
        persons.truncate(dice.pick(&[1, 1, 2, 3, 5]));
        let mut enterprises: Vec<String> =
            enterprises.iter().map(|text| (*text).to_owned()).collect();
        enterprises.truncate(dice.pick(&[1, 1, 2, 4]));
        Self {
            stage,
            regions: regions.to_vec(),
            enterprises,
            persons,
            items: dice.pick(&[
                vec!["basic_pension"],
                all_items.to_vec(),
                all_items.to_vec(),
            ]),
            amounts,
            one_letter,
            stage_of_one_period: false,
            numbers: BTreeMap::new(),
        }
    }

    fn record(&mut self, dice: &mut Dice, kind: &'static str, others: &[Record]) -> Record {
        let fields = match kind {
            "enterprise" => self.enterprise(dice),
            "declaration" => self.declared(dice, "base"),
            "payroll" => self.declared(dice, "wages"),
            "payment" => vec![
                ("enterprise", self.some_enterprise(dice)),
                ("period", self.period(dice)),
                ("amount", self.amount(dice)),
            ],
            "payment_reversal" => self.payment_reversal(dice, others),
            "payout" => self.payout(dice),
            "payout_reversal" => self.payout_reversal(dice, others),
            "beneficiary" => self.beneficiary(dice),
            "death" => self.death(dice),
            "death_cancelled" => self.death_cancelled(dice, others),
            "transfer" => self.transfer(dice, others),
            _ => vec![("records", Value::Count(1)), ("amount", self.amount(dice))],
        };
        let region = dice.pick(&self.regions);
        let id = self.id(kind, region, &fields);
        let mut all = vec![
            ("type", text(kind)),
            ("id", Value::Text(id)),
            ("region", text(region)),
            ("date", Value::Text(self.date(dice, kind).to_string())),
        ];
        all.extend(fields);
        Record {
            topic: topic_of(dice, kind),
            kind,
            fields: all,
        }
    }

    /// Another record under the name of one that is there.
    fn conflict(&mut self, dice: &mut Dice, others: &[Record]) -> Record {
        let mut record = dice.pick(others);
        match dice.below(3) {
            0 => record.set("region", text(dice.pick(&["341002", "341021"]))),
            1 => record.set("date", Value::Text(self.stage.day(dice).to_string())),
            _ => {
                for field in ["amount", "base", "wages"] {
                    record.set(field, self.amount(dice));
                }
            }
        }
        record
    }

    /// A new id of its type and subject: the same for different subjects, and not in the order of time.
    fn id(&mut self, kind: &'static str, region: &str, fields: &[(&'static str, Value)]) -> String {
        let subject = match fields.first() {
            Some((_, Value::Person(subject) | Value::Enterprise(subject))) => subject.clone(),
            _ if kind == "day_close" => region.to_owned(),
            _ => String::new(),
        };
        let number = self.numbers.entry((kind, subject)).or_default();
        *number += 1;
        // 1, 2, 3 ... become 7, 4, 1, 8, 5, 2, 9, 6, 3, 0, 17, ...: still each number once.
        let scattered = *number / 10 * 10 + *number * 7 % 10;
        let letter = if self.one_letter {
            "x"
        } else {
            letter_of(kind)
        };
        format!("{letter}{scattered}")
    }

    /// Half of the status records hold from before the first period on.
    fn date(&self, dice: &mut Dice, kind: &str) -> Date {
        if matches!(kind, "enterprise" | "beneficiary") && dice.chance(50) {
            plus_days(self.stage.periods[0].first_day(), -dice.between(0, 40))
        } else {
            self.stage.day(dice)
        }
    }

    fn period(&self, dice: &mut Dice) -> Value {
        let period = if self.stage_of_one_period {
            self.stage.periods[0]
        } else {
            self.stage.period(dice)
        };
        Value::Text(period.to_string())
    }

    fn amount(&self, dice: &mut Dice) -> Value {
        Value::Amount(dice.pick(&self.amounts))
    }

    fn some_enterprise(&self, dice: &mut Dice) -> Value {
        Value::Enterprise(dice.pick(&self.enterprises))
    }

    fn some_person(&self, dice: &mut Dice) -> Value {
        Value::Person(dice.pick(&self.persons))
    }

    fn enterprise(&self, dice: &mut Dice) -> Vec<(&'static str, Value)> {
        vec![
            ("enterprise", self.some_enterprise(dice)),
            ("name", text(dice.pick(&["", "甲", "乙"]))),
            (
                "status",
                text(dice.pick(&["active", "active", "active", "suspended", "deregistered"])),
            ),
        ]
    }

    fn declared(&self, dice: &mut Dice, field: &'static str) -> Vec<(&'static str, Value)> {
        let headcount = dice.pick(&[0, 1, 1, 2, 10]);
        let wages = [
            self.amount(dice),
            Value::Amount(600_000),
            Value::Amount(100_000),
        ];
        vec![
            ("enterprise", self.some_enterprise(dice)),
            ("period", self.period(dice)),
            ("headcount", Value::Count(headcount)),
            (field, dice.pick(&wages)),
        ]
    }

    /// Reverses a payment that is there, mostly under its own key; else one that may come later, or never.
    fn payment_reversal(&self, dice: &mut Dice, others: &[Record]) -> Vec<(&'static str, Value)> {
        let payments: Vec<&Record> = others
            .iter()
            .filter(|record| record.kind == "payment")
            .collect();
        let mut fields = match payments.is_empty() || dice.chance(15) {
            true => vec![
                ("enterprise", self.some_enterprise(dice)),
                ("period", self.period(dice)),
                ("reverses", text(if self.one_letter { "x7" } else { "P7" })),
            ],
            false => {
                let payment = dice.pick(&payments);
                vec![
                    ("enterprise", Value::Enterprise(payment.text("enterprise"))),
                    ("period", Value::Text(payment.text("period"))),
                    ("reverses", Value::Text(payment.text("id"))),
                ]
            }
        };
        match dice.below(20) {
            0 => fields[0].1 = self.some_enterprise(dice),
            1 => fields[1].1 = self.period(dice),
            _ => {}
        }
        fields.push(("amount", self.amount_of(dice, others, "payment", &fields)));
        fields
    }

    fn payout(&self, dice: &mut Dice) -> Vec<(&'static str, Value)> {
        vec![
            ("person", self.some_person(dice)),
            ("period", self.period(dice)),
            ("item", text(dice.pick(&self.items))),
            (
                "nature",
                text(dice.pick(&["regular", "regular", "regular", "back_pay", "lump_sum"])),
            ),
            ("amount", self.amount(dice)),
            (
                "account",
                dice.pick(&[Value::Nothing, text(""), text("6222000000000000")]),
            ),
        ]
    }

    fn payout_reversal(&self, dice: &mut Dice, others: &[Record]) -> Vec<(&'static str, Value)> {
        let payouts: Vec<&Record> = others
            .iter()
            .filter(|record| record.kind == "payout")
            .collect();
        let mut fields = match payouts.is_empty() || dice.chance(15) {
            true => vec![
                ("person", self.some_person(dice)),
                ("period", self.period(dice)),
                ("item", text(dice.pick(&self.items))),
                ("reverses", text(if self.one_letter { "x7" } else { "Y7" })),
            ],
            false => {
                let payout = dice.pick(&payouts);
                vec![
                    ("person", Value::Person(payout.text("person"))),
                    ("period", Value::Text(payout.text("period"))),
                    ("item", Value::Text(payout.text("item"))),
                    ("reverses", Value::Text(payout.text("id"))),
                ]
            }
        };
        match dice.below(20) {
            0 => fields[0].1 = self.some_person(dice),
            1 => fields[1].1 = self.period(dice),
            2 => fields[2].1 = text(dice.pick(&self.items)),
            _ => {}
        }
        fields.push(("amount", self.amount_of(dice, others, "payout", &fields)));
        fields
    }

    /// Often the whole amount of the record that is reversed, so that nothing of it is left.
    fn amount_of(
        &self,
        dice: &mut Dice,
        others: &[Record],
        kind: &str,
        fields: &[(&'static str, Value)],
    ) -> Value {
        let reversed = others.iter().find(|other| {
            let same = |(field, value): &(&str, Value)| {
                other.get(field).is_none_or(|own| own.same_text(value))
            };
            let named = fields
                .iter()
                .find(|(field, _)| *field == "reverses")
                .map(|(_, value)| value);
            other.kind == kind
                && fields.iter().all(same)
                && named.is_some_and(|id| other.get("id").is_some_and(|own| own.same_text(id)))
        });
        match reversed.and_then(|other| other.get("amount")) {
            Some(amount) if dice.chance(50) => amount.clone(),
            _ => self.amount(dice),
        }
    }

    fn beneficiary(&self, dice: &mut Dice) -> Vec<(&'static str, Value)> {
        vec![
            ("person", self.some_person(dice)),
            (
                "status",
                text(dice.pick(&["receiving", "receiving", "receiving", "suspended", "ended"])),
            ),
            (
                "amount",
                if dice.chance(60) {
                    Value::Nothing
                } else {
                    self.amount(dice)
                },
            ),
            ("name", name(dice)),
        ]
    }

    fn death(&self, dice: &mut Dice) -> Vec<(&'static str, Value)> {
        let first = self.stage.periods[0].first_day();
        let died_on: Date = match dice.below(20) {
            0 => jiff::civil::date(1900, 1, 1),
            1 => jiff::civil::date(2199, 12, 31),
            2..=6 => first,
            _ => self.stage.day(dice),
        };
        vec![
            ("person", self.some_person(dice)),
            ("died_on", Value::Text(died_on.to_string())),
            (
                "source",
                text(dice.pick(&["crematorium", "police", "", "Police"])),
            ),
            ("name", name(dice)),
        ]
    }

    fn death_cancelled(&self, dice: &mut Dice, others: &[Record]) -> Vec<(&'static str, Value)> {
        let deaths: Vec<&Record> = others
            .iter()
            .filter(|record| record.kind == "death")
            .collect();
        if deaths.is_empty() || dice.chance(20) {
            let reverses = if self.one_letter { "x7" } else { "C7" };
            return vec![
                ("person", self.some_person(dice)),
                ("reverses", text(reverses)),
            ];
        }
        let death = dice.pick(&deaths);
        vec![
            ("person", Value::Person(death.text("person"))),
            ("reverses", Value::Text(death.text("id"))),
        ]
    }

    fn transfer(&self, dice: &mut Dice, others: &[Record]) -> Vec<(&'static str, Value)> {
        let kind = dice.pick(&[
            "remit_up",
            "remit_up",
            "remit_up",
            "central_subsidy",
            "provincial_subsidy",
            "treasury_release",
            "treasury_release",
            "allocate_down",
            "county_subsidy",
        ]);
        let period = match kind == "remit_up" || dice.chance(20) {
            true => Period::to_string(&self.stage.period(dice)).into(),
            false => Value::Nothing,
        };
        let is_source = |record: &&Record| {
            record
                .get("kind")
                .is_some_and(|kind| kind.same_text(&text("central_subsidy")))
                || dice.chance(20)
        };
        let transfers: Vec<&Record> = others
            .iter()
            .filter(|record| record.kind == "transfer")
            .filter(is_source)
            .collect();
        let mut amount = self.amount(dice);
        let source = match kind == "treasury_release" || dice.chance(10) {
            true if transfers.is_empty() || dice.chance(10) => text("T1"),
            true => {
                let source = dice.pick(&transfers);
                if let Some(whole) = source.get("amount").filter(|_| dice.chance(50)) {
                    amount = whole.clone();
                }
                Value::Text(source.text("id"))
            }
            false => Value::Nothing,
        };
        if kind == "remit_up" && dice.chance(30) {
            amount = Value::Amount(10_000_000);
        }
        vec![
            ("kind", text(kind)),
            ("amount", amount),
            ("period", period),
            ("source", source),
        ]
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Few names, some of them the same but for spelling.
fn name(dice: &mut Dice) -> Value {
    let names = [
        "",
        " \u{3000}",
        "程建国",
        "程 建国",
        "AB程",
        "Ａ\u{a0}B程",
        "程建军",
    ];
    if dice.chance(25) {
        Value::Nothing
    } else {
        text(dice.pick(&names))
    }
}

fn letter_of(kind: &str) -> &'static str {
    match kind {
        "enterprise" => "S",
        "declaration" => "D",
        "payroll" => "W",
        "payment" => "P",
        "payment_reversal" => "V",
        "payout" => "Y",
        "payout_reversal" => "v-",
        "beneficiary" => "B",
        "death" => "C",
        "death_cancelled" => "K",
        "transfer" => "T",
        _ => "close:",
    }
}

fn topic_of(dice: &mut Dice, kind: &str) -> Topic {
    match kind {
        "enterprise" | "declaration" | "payroll" | "payment" | "payment_reversal" => {
            Topic::TaxCollection
        }
        "payout" | "payout_reversal" => Topic::AgencyPayout,
        "beneficiary" => Topic::AgencyRoster,
        "death" | "death_cancelled" => Topic::CivilDeath,
        "transfer" => Topic::TreasuryTransfer,
        _ => dice.pick(&Topic::ALL),
    }
}
