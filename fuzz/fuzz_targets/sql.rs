#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| memdex_fuzz::sql::run(data));
