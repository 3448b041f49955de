//! The libFuzzer entry point of the target `csv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("csv", data));
