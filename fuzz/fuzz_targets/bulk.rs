//! The libFuzzer entry point of the target `bulk`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("bulk", data));
