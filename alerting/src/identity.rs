//! Names for alerts that are the same in every run with the same secret, and give nothing away.
//!
//! There are so few resident ID numbers that an unkeyed hash of one is the number itself to whoever
//! cares to try them all. So the id is a keyed hash, and only the holder of the secret can compute it.

use domain::{Alert, AlertKey, Finding, Subject};

/// Sets this use of the secret apart from every other one. Changing it changes every id.
const CONTEXT: &str = "fundwatch 2024 alert identity v1";

/// The secret that is used where none was given: published, so ids made with it hide nothing.
pub const DEFAULT_SECRET: &[u8] = b"fundwatch: a published default, hides nothing";

/// Computes the ids of alerts from their keys under one secret.
#[derive(Clone)]
pub struct AlertIdentity {
    key: [u8; blake3::KEY_LEN],
    is_default: bool,
}

impl AlertIdentity {
    /// The identity under a secret of any length.
    pub fn new(secret: &[u8]) -> AlertIdentity {
        AlertIdentity {
            key: blake3::derive_key(CONTEXT, secret),
            is_default: secret == DEFAULT_SECRET,
        }
    }

    /// Whether the secret is the published default, and ids can therefore be traced back to persons.
    pub const fn is_default(&self) -> bool {
        self.is_default
    }

    /// The id of the alert of a key: 32 hexadecimal digits, 128 bits.
    pub fn id(&self, key: &AlertKey) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        let period = key.period.map(|period| period.to_string());
        // Every part carries its presence and its length, so that no two keys read alike.
        for part in [
            Some(key.detector.as_str()),
            Some(kind(&key.subject)),
            Some(key.subject.reveal().as_str()),
            period.as_deref(),
            key.item.as_deref(),
        ] {
            match part {
                None => hasher.update(&[0]),
                Some(text) => hasher
                    .update(&[1])
                    .update(&(text.len() as u64).to_le_bytes())
                    .update(text.as_bytes()),
            };
        }
        let mut id = hasher.finalize().to_hex().to_string();
        id.truncate(32);
        id
    }

    /// The alert of a finding, under its id.
    pub fn alert(&self, finding: &Finding) -> Alert {
        Alert::new(self.id(&finding.key), finding)
    }
}

impl Default for AlertIdentity {
    fn default() -> AlertIdentity {
        AlertIdentity::new(DEFAULT_SECRET)
    }
}

/// The secret never shows.
impl std::fmt::Debug for AlertIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlertIdentity")
            .field("is_default", &self.is_default)
            .finish_non_exhaustive()
    }
}

/// A transfer may be called what an enterprise is called.
const fn kind(subject: &Subject) -> &'static str {
    match subject {
        Subject::Enterprise(_) => "enterprise",
        Subject::Person(_) => "person",
        Subject::Region(_) => "region",
        Subject::Transfer(_) => "transfer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Detector, Period, RegionCode};

    fn key(subject: Subject, period: Option<Period>, item: Option<&str>) -> AlertKey {
        AlertKey {
            detector: Detector::ALL[0],
            subject,
            period,
            item: item.map(str::to_owned),
        }
    }

    #[test]
    fn the_id_is_stable_and_depends_on_the_secret() {
        let region = Subject::Region(RegionCode::parse(b"341002").unwrap());
        let key = key(region, Period::from_ym(2024, 1), None);
        let (ours, theirs) = (AlertIdentity::new(b"ours"), AlertIdentity::new(b"theirs"));
        assert_eq!(ours.id(&key), AlertIdentity::new(b"ours").id(&key));
        assert_ne!(ours.id(&key), theirs.id(&key));
        assert_eq!(ours.id(&key).len(), 32);
        assert!(ours.id(&key).bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(AlertIdentity::default().is_default() && !ours.is_default());
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        let identity = AlertIdentity::default();
        let period = Period::from_ym(2024, 1);
        let keys = [
            key(Subject::Transfer("a".into()), None, Some("bc")),
            key(Subject::Transfer("ab".into()), None, Some("c")),
            key(Subject::Transfer("abc".into()), None, None),
            key(Subject::Transfer("a".into()), None, Some("")),
            key(Subject::Transfer("a".into()), None, None),
            key(Subject::Transfer("a".into()), period, None),
            key(Subject::Transfer("a".into()), None, Some("2024-01")),
            key(Subject::Transfer("341002".into()), None, None),
            key(
                Subject::Region(RegionCode::parse(b"341002").unwrap()),
                None,
                None,
            ),
        ];
        let mut ids: Vec<_> = keys.iter().map(|key| identity.id(key)).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), keys.len());
    }

    #[test]
    fn the_secret_does_not_print() {
        let printed = format!("{:?}", AlertIdentity::new(b"hunter2"));
        assert!(!printed.contains("hunter2") && !printed.contains("key"));
    }
}
