#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chandra_fuzz::flow_export::flow_log_settings(bytes));
