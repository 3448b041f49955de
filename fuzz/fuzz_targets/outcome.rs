//! The libFuzzer entry point of the target `outcome`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::run("outcome", data));
