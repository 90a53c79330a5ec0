#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chandra_fuzz::http::http_head(bytes));
