//! The libFuzzer entry point of the target `patch`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("patch", data));
