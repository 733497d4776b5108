//! The command-line tool; all of it is in [`pinring_client::cli`].

use std::io::IsTerminal;
use std::process::ExitCode;
use std::rc::Rc;

use pinring_client::cli::{Host, run};
use pinring_client::{DriverTransport, Transport};

fn main() -> ExitCode {
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let interactive = err.is_terminal();
    let mut host = Host {
        list: &mut DriverTransport::list,
        open: &mut |name| Ok(Rc::new(DriverTransport::open(name)?) as Rc<dyn Transport>),
        out: &mut out,
        err: &mut err,
        interactive,
    };
    ExitCode::from(run(std::env::args_os(), &mut host))
}
