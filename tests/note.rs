//! Says what plain `cargo test` leaves out.

fn main() {
    println!(
        "plain `cargo test` runs what is pure. `./maya test` adds the suites on real parts (PostgreSQL, Kafka, Redis, spoken \
         audio, a browser): it brings them and turns on the feature `real-parts`"
    );
}
