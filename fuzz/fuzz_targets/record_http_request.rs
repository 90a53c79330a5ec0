#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chandra_fuzz::record_http_request(bytes));
