//! The libFuzzer entry point of the target `filter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("filter", data));
