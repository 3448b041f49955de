//! The libFuzzer entry point of the target `request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("request", data));
