//! Asking the person, and reading secrets: from a prompt, a file or standard input, never from the
//! command line.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};

/// A yes or no; no answer is a no.
pub fn confirm(question: &str) -> Outcome<bool> {
    let answer = line(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// A line, prompted for on standard error.
pub fn line(prompt: &str) -> Outcome<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            Exit::Usage,
            format!("there is nobody to ask ({}): give it as an option, and use --no-input", prompt.trim()),
        ));
    }
    eprint!("{prompt}");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|e| Failure::new(Exit::Failed, format!("cannot read the answer: {e}")))?;
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// An option's value, or what the person answers.
pub fn given_or_line(global: &Global, given: Option<String>, option: &str, prompt: &str) -> Outcome<String> {
    match given {
        Some(given) => Ok(given),
        None if global.no_input => Err(Failure::new(Exit::Usage, format!("--no-input needs {option}"))),
        None => line(&format!("{prompt}: ")),
    }
}

/// A secret: the first line of a file (`-` is standard input), or what the person types unseen.
pub fn secret(global: &Global, file: Option<&Path>, option: &str, prompt: &str) -> Outcome<Zeroizing<String>> {
    match file {
        Some(file) => from_file(file),
        None if global.no_input => {
            Err(Failure::new(Exit::Usage, format!("--no-input needs {option} FILE (- for standard input)")))
        }
        None => unseen(prompt),
    }
}

/// A new secret, typed twice.
pub fn new_secret(global: &Global, file: Option<&Path>, option: &str, prompt: &str) -> Outcome<Zeroizing<String>> {
    let secret = secret(global, file, option, prompt)?;
    if file.is_none() && *unseen(&format!("{prompt}, again"))? != *secret {
        return Err(Failure::new(Exit::Usage, "the two were not the same; nothing was done"));
    }
    Ok(secret)
}

fn unseen(prompt: &str) -> Outcome<Zeroizing<String>> {
    rpassword::prompt_password(format!("{prompt}: ")).map(Zeroizing::new).map_err(|e| {
        Failure::new(
            Exit::Usage,
            format!("there is no terminal to ask at ({e}): give it in a file, and use --no-input"),
        )
    })
}

/// A file with a secret that others can read is refused. Pipes, as shells make them, have no name to others.
fn refuse_open(file: &Path) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let Ok(found) = std::fs::metadata(file) else { return Ok(()) };
    let mode = found.permissions().mode() & 0o777;
    if found.is_file() && mode & 0o077 != 0 {
        let path = file.display();
        return Err(Failure::new(
            Exit::Usage,
            format!("{path} can be read by others (mode {mode:o}); run: chmod 600 {path}"),
        ));
    }
    Ok(())
}

fn from_file(file: &Path) -> Outcome<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if file.as_os_str() != "-" {
        refuse_open(file)?;
    }
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().lock().read_line(&mut text).map(drop),
        false => std::fs::File::open(file).and_then(|mut f| f.read_to_string(&mut text)).map(drop),
    };
    read.map_err(|e| Failure::new(Exit::Usage, format!("cannot read {}: {e}", file.display())))?;
    let first = text.lines().next().unwrap_or_default();
    if first.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("{} is empty", file.display())));
    }
    Ok(Zeroizing::new(first.to_owned()))
}
