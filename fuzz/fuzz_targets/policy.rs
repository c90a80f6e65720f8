//! See [`fuzz::policy`].
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::policy(bytes));

#[cfg(not(fuzzing))]
fn main() {}
