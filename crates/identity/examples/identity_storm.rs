//! What identity takes while 500 short containers a second come and go, for ten minutes of event time.
//!
//! `cargo run --release -p chandra-identity --example identity_storm [SECONDS]`
//!
//! Lines that begin with `storm_` are for programs: name, value, unit.

#[path = "common/storm.rs"]
mod storm;

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(600);
    let began = std::time::Instant::now();
    let samples = storm::simulate(500, seconds, 60);
    let took = began.elapsed().as_nanos() as f64 / (500 * seconds) as f64;
    for (minute, sample) in samples.iter().enumerate() {
        println!("  minute {}: {sample:?}", minute + 1);
    }
    let most = |bytes: fn(&storm::Sample) -> u64| samples.iter().map(bytes).max().unwrap_or(0);
    println!("storm_process_table {} bytes", most(|sample| sample.processes));
    println!("storm_cgroups {} bytes", most(|sample| sample.cgroups));
    println!("storm_descriptions {} bytes", most(|sample| sample.descriptions));
    println!("storm_evicted {} entries", most(|sample| sample.evicted));
    println!("storm_descriptions_cut_short {} entries", most(|sample| sample.cut_short));
    println!("storm_container {took:.0} ns");
}
