//! The libFuzzer entry point of the target `query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("query", data));
