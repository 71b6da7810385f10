//! `hwsim`: the simulated switch and its client. See [`hwsim::cli`].

fn main() -> std::process::ExitCode {
    hwsim::cli::main()
}
