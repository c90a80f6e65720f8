//! Bytes to facts: decode, reject, dead letters; files and Kafka.
