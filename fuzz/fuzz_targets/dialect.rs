//! The libFuzzer entry point of the target `dialect`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("dialect", data));
