//! The local AWS itself, where a decision rests on how it behaves: what one call is authorised on, and what is late,
//! lost, refused or throttled.

use std::process::Command;

use testkit::{Error, LocalAws, Options, Result};

#[test]
fn the_local_aws_behaves_as_its_readme_says() -> Result<()> {
    let aws = LocalAws::start(Options { deploy: false, ..Options::default() })?;
    let mut check = Command::new(aws.python()?);
    check.arg("-B").arg(aws.workspace().join("tests/local-aws/check.py")).args(["--endpoint", aws.endpoint()]);
    let output = check.env_clear().output()?;
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::new(format!("{said}\n{}", aws.log_tail()))),
    }
}
