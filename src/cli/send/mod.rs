use super::failure::Failure;
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}
pub(super) async fn run(_: Arguments) -> Result<(), Failure> {
    Ok(())
}
