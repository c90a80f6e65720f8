//! The ready policy of Huangshan, embedded: for simulations and the demonstration, which open no files.

use crate::policy::Policy;
use crate::read;

/// The text of `rules/policies/huangshan.toml`. It names calendar files, so that [`Policy::parse`]
/// refuses it: see [`Policy::huangshan`].
pub const HUANGSHAN: &str = include_str!("../policies/huangshan.toml");

macro_rules! calendars {
    ($($year:literal)*) => {
        /// The calendar files of the repository: as a policy names them, and their texts.
        const CALENDARS: &[(&str, &str)] = &[$((
            concat!("../calendars/cn-", $year, ".toml"),
            include_str!(concat!("../calendars/cn-", $year, ".toml")),
        )),*];
    };
}
calendars!(2004 2005 2006 2007 2008 2009 2010 2011 2012 2013 2014 2015 2016 2017 2018 2019 2020 2021
           2022 2023 2024 2025 2026);

impl Policy {
    /// The ready policy of Huangshan, 2004 to 2026, as `rules/policies/huangshan.toml` has it.
    pub fn huangshan() -> Policy {
        let open = |named: &str| {
            let text = CALENDARS.iter().find(|(name, _)| *name == named);
            let text = text.map(|(_, text)| (*text).to_owned());
            (
                named.to_owned(),
                text.ok_or_else(|| "is not embedded".to_owned()),
            )
        };
        read::parse_with("huangshan.toml", HUANGSHAN, &open)
            .unwrap_or_else(|errors| panic!("the embedded policy is tested: {errors}"))
    }
}
