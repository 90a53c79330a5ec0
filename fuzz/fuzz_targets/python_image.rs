#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chandra_fuzz::python::python_image(bytes));
