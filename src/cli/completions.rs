//! `casebridge completions`.

use clap::CommandFactory;

use super::Cli;
use super::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell.
    shell: clap_complete::Shell,
}

#[expect(clippy::unnecessary_wraps, reason = "every verb has this form")]
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    clap_complete::generate(arguments.shell, &mut Cli::command(), "casebridge", &mut std::io::stdout());
    Ok(())
}
