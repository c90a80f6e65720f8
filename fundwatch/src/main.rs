//! The program `fundwatch`.
fn main() {}
