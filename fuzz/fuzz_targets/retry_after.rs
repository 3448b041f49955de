//! The libFuzzer entry point of the target `retry_after`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("retry_after", data));
