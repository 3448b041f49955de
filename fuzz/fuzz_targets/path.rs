//! The libFuzzer entry point of the target `path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("path", data));
