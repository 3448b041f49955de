//! The libFuzzer entry point of the target `expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("expression", data));
