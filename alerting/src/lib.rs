//! Findings to people: the life of an alert, store, outbox, mail, topic, metrics.
