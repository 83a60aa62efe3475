#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| memdex_fuzz::operations::run(data));
