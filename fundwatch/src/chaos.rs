//! The program as the harness drives it: with fail points, which `FAILPOINTS` arms.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let _armed = faults::arm();
    fundwatch::main()
}
