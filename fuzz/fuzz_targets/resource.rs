//! The libFuzzer entry point of the target `resource`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("resource", data));
