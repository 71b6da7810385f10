//! Colours as iproute2 has them (lib/color.c): devices cyan, MACs yellow, IPv4 magenta, IPv6 blue, what is well green, what is not
//! red; brighter on a dark background. Off unless `-c` says otherwise, and never in JSON.

use std::env;
use std::io::{self, IsTerminal as _};
use std::net::IpAddr;

use firsthop_model::Mac;
use ipnet::IpNet;

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// Never.
    #[default]
    Never,
    /// On a terminal.
    Auto,
    /// Always, also in a pipe: `-c` alone.
    Always,
}

impl Colour {
    /// The one that `-color=WORD` means.
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "always" => Some(Self::Always),
            "auto" => Some(Self::Auto),
            "never" => Some(Self::Never),
            _ => None,
        }
    }

    /// `NO_COLOR` (no-color.org) is stronger than `auto`, and weaker than a plain `-c`.
    fn is_on(self) -> bool {
        let unwanted = || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Self::Never => false,
            Self::Auto => io::stdout().is_terminal() && !unwanted(),
            Self::Always => true,
        }
    }

    /// The text as it goes to stdout.
    pub(super) fn paint(self, text: String) -> String {
        if !self.is_on() {
            return text;
        }
        let bright = env::var("COLORFGBG").is_ok_and(|colours| is_dark(&colours));
        text.split_inclusive('\n').map(|line| painted(line, bright)).collect()
    }
}

/// The last field is the background: 0 to 6 and 8 are dark, as iproute2 takes it.
fn is_dark(colours: &str) -> bool {
    let background = colours.rsplit(';').next().and_then(|field| field.parse::<u8>().ok());
    background.is_some_and(|colour| colour <= 6 || colour == 8)
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const BLUE: u8 = 34;
const MAGENTA: u8 = 35;
const CYAN: u8 = 36;

/// A line with its words coloured; what is between them stays as it is.
fn painted(line: &str, bright: bool) -> String {
    let mut text = String::with_capacity(line.len() * 2);
    let mut before = "";
    for piece in line.split_inclusive([' ', '\n']) {
        let word = piece.trim_end_matches([' ', '\n']);
        let bare = word.trim_end_matches([':', ',']);
        match colour(bare, word, before) {
            Some(code) => {
                let bold = if bright { "1;" } else { "" };
                text.push_str(&format!("\x1b[{bold}{code}m{bare}\x1b[0m{}", &piece[bare.len()..]));
            }
            None => text.push_str(piece),
        }
        if !word.is_empty() {
            before = word;
        }
    }
    text
}

/// What a word is, by itself or by the one before it.
fn colour(bare: &str, word: &str, before: &str) -> Option<u8> {
    match bare {
        "offload" | "[ok]" | "ok" => return Some(GREEN),
        "failed" | "refused" | "[FAIL]" | "<<" => return Some(RED),
        "pending" | "[warn]" => return Some(YELLOW),
        _ => {}
    }
    if bare.parse::<Mac>().is_ok() {
        return Some(YELLOW);
    }
    let address = bare.parse::<IpAddr>().or_else(|_| bare.parse::<IpNet>().map(|net| net.addr()));
    if let Ok(address) = address {
        return Some(if address.is_ipv4() { MAGENTA } else { BLUE });
    }
    let is_index = before.strip_suffix(':').is_some_and(|index| index.parse::<u32>().is_ok());
    let is_name = bare.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c));
    let is_device = is_index && word.ends_with(':') || before == "dev";
    (is_device && is_name).then_some(CYAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a word were coloured as something else, a colon or the line's end with it, or the text changed but for colours.
    #[test]
    fn words_have_the_colours_of_ip() {
        for (line, told) in [
            (
                "4: swp1: rif 0 mac 02:00:5e:10:00:01 offload\n",
                "4: <36>swp1</>: rif 0 mac <33>02:00:5e:10:00:01</> <32>offload</>\n",
            ),
            (
                "10.0.0.0/8 via 192.0.2.9 dev swp1 refused\n",
                "<35>10.0.0.0/8</> via <35>192.0.2.9</> dev <36>swp1</> <31>refused</>\n",
            ),
            ("fe80::1 2001:db8::/32", "<34>fe80::1</> <34>2001:db8::/32</>"),
            ("  [ok]   chip: hwsim/0", "  <32>[ok]</>   chip: hwsim/0"),
            ("synced yes stale no\n", "synced yes stale no\n"),
        ] {
            let mut wanted = told.replace("</>", "\x1b[0m");
            for code in [RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN] {
                wanted = wanted.replace(&format!("<{code}>"), &format!("\x1b[{code}m"));
            }
            assert_eq!(painted(line, false), wanted);
        }
        assert_eq!(painted("offload", true), "\x1b[1;32moffload\x1b[0m");
    }

    // Broken if a light terminal had the colours of a dark one.
    #[test]
    fn backgrounds() {
        assert!(is_dark("15;0") && is_dark("12;default;8") && !is_dark("0;15") && !is_dark(""));
    }
}
