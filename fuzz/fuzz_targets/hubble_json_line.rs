#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chandra_fuzz::hubble::hubble_json_line(bytes));
