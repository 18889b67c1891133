//! `strongroom completion` and `strongroom man`: the command line, described to shells and readers.

use std::io::Write;
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::Program;
use crate::failure::{Exit, Failure, Outcome};

/// Prints a completion script.
pub fn completion(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Program::command(), "strongroom", &mut script);
    std::io::stdout().lock().write_all(&script).map_err(failed)
}

/// Prints the manual page, or writes one per verb into a directory.
pub fn man(dir: Option<&Path>) -> Outcome {
    let mut program = Program::command();
    program.build();
    match dir {
        None => clap_mangen::Man::new(program).render(&mut std::io::stdout().lock()).map_err(failed),
        Some(dir) => std::fs::create_dir_all(dir).and_then(|()| pages(&program, "strongroom", dir)).map_err(failed),
    }
}

fn pages(command: &Command, name: &str, dir: &Path) -> std::io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page)?;
    std::fs::write(dir.join(format!("{name}.1")), page)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        pages(verb, &format!("{name}-{}", verb.get_name()), dir)?;
    }
    Ok(())
}

fn failed(error: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot write: {error}"))
}
