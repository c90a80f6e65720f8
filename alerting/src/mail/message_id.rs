//! Message-IDs that are the same at every attempt, so that a mail that arrives twice is recognised
//! as one, and that hold all mails on one alert together in a thread.

/// Of the mail on one telling to one recipient, without angle brackets.
pub fn of_telling(alert: &str, revision: u64, address: &str, host: &str) -> String {
    format!("{alert}.{revision}.{}@{host}", recipient(address))
}

/// Of a mail on many tellings, or on none: its kind, the store, and a number that no other mail of
/// the kind to this recipient has.
pub fn of_bundle(kind: &str, instance: &str, number: i64, address: &str, host: &str) -> String {
    format!("{kind}.{instance}.{number}.{}@{host}", recipient(address))
}

/// Of a mail on the program itself, of a moment in milliseconds since 1970, to one operator.
pub fn of_news(at: i64, address: &str, host: &str) -> String {
    format!("news.{at}.{}@{host}", recipient(address))
}

/// The root of an alert's thread: a mail that is never sent, so that whoever is told of the alert
/// later still has one thread.
pub fn of_thread(alert: &str, message_id: &str) -> String {
    let host = message_id.rsplit_once('@').map_or("", |(_, host)| host);
    format!("{alert}@{host}")
}

/// An address, without giving it to all who see the header.
fn recipient(address: &str) -> String {
    let mut hash = blake3::hash(address.to_lowercase().as_bytes())
        .to_hex()
        .to_string();
    hash.truncate(12);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_a_telling_and_recipient() {
        let id = of_telling("1a2b", 3, "Li@example.org", "fund.example.org");
        assert_eq!(
            id,
            of_telling("1a2b", 3, "li@example.org", "fund.example.org")
        );
        assert!(id.starts_with("1a2b.3.") && id.ends_with("@fund.example.org"));
        assert_ne!(
            id,
            of_telling("1a2b", 4, "li@example.org", "fund.example.org")
        );
        assert_ne!(
            id,
            of_telling("1a2b", 3, "wu@example.org", "fund.example.org")
        );
        assert_eq!(of_thread("1a2b", &id), "1a2b@fund.example.org");
    }
}
