//! What does the kernel say of devlink devices? As `devlink -jsv` prints it, so that the two can be compared.
//!
//! ```text
//!   devlink-json dev | port | info | trap | group | policer | health     all devices
//!   devlink-json resource | eswitch DEVICE
//!   devlink-json get-trap DEVICE TRAP
//!   devlink-json get-policer DEVICE POLICER
//!   devlink-json reload DEVICE [ACTION]
//!   devlink-json set-trap DEVICE TRAP ACTION
//!   devlink-json set-group DEVICE GROUP POLICER
//!   devlink-json set-policer DEVICE POLICER RATE BURST
//!   devlink-json set-resource DEVICE ID SIZE
//!   devlink-json watch                    a line for each device that comes or goes, until it is killed
//! ```
//!
//! Exit code: 0, also when the kernel warned on success (`Warning: …` on standard error); 1 when it refused, with its text.

use std::process::ExitCode;

use netlink_packet_devlink::client::{Answer, Client, Event, Monitor};
use netlink_packet_devlink::device::{Dev, Eswitch, Info, Reload, ReloadAction};
use netlink_packet_devlink::health::Health;
use netlink_packet_devlink::port::Port;
use netlink_packet_devlink::resource::Resources;
use netlink_packet_devlink::trap::{Trap, TrapAction, TrapGroup, TrapPolicer};
use netlink_packet_devlink::{Handle, Message};

mod shape;

type Failure = Box<dyn std::error::Error>;

/// How often a dump that was interrupted is asked for again.
const ATTEMPTS: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let mut text = failure.to_string();
            let mut cause = failure.source();
            while let Some(source) = cause {
                text = format!("{text}: {source}");
                cause = source.source();
            }
            eprintln!("Error: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<(), Failure> {
    let client = Client::connect().await?;
    match arguments {
        ["dev"] => dump(&client, "dev", Message::DevGet(Dev::default())).await,
        ["port"] => dump(&client, "port", Message::PortGet(Port::default())).await,
        ["info"] => dump(&client, "info", Message::InfoGet(Info::default())).await,
        ["trap"] => dump(&client, "trap", Message::TrapGet(Trap::default())).await,
        ["group"] => dump(&client, "trap_group", Message::TrapGroupGet(TrapGroup::default())).await,
        ["policer"] => {
            dump(&client, "trap_policer", Message::TrapPolicerGet(TrapPolicer::default())).await
        }
        ["health"] => dump(&client, "health", Message::HealthReporterGet(Health::default())).await,
        ["watch"] => watch(&client).await,
        [command, device, rest @ ..] => {
            let handle = Handle::from_path(device).ok_or("a device is BUS/NAME")?;
            let (key, message) = request(command, handle, rest)?;
            let answer = client.request(message).await?;
            print(key, &answer)
        }
        _ => Err("unknown command".into()),
    }
}

fn request(
    command: &str,
    handle: Handle,
    arguments: &[&str],
) -> Result<(&'static str, Message), Failure> {
    Ok(match (command, arguments) {
        ("resource", []) => {
            ("resources", Message::ResourceDump(Resources { handle, ..Resources::default() }))
        }
        ("eswitch", []) => ("dev", Message::EswitchGet(Eswitch { handle, ..Eswitch::default() })),
        ("reload", []) => ("reload", Message::Reload(Reload { handle, ..Reload::default() })),
        ("reload", [action]) => {
            let action = ReloadAction::from_word(action).ok_or("no such action")?;
            let reload = Reload { handle, action: Some(action), ..Reload::default() };
            ("reload", Message::Reload(reload))
        }
        ("get-trap", [name]) => {
            let name = Some((*name).to_owned());
            ("trap", Message::TrapGet(Trap { handle, name, ..Trap::default() }))
        }
        ("get-policer", [id]) => {
            let id = Some(id.parse()?);
            let policer = TrapPolicer { handle, id, ..TrapPolicer::default() };
            ("trap_policer", Message::TrapPolicerGet(policer))
        }
        ("set-trap", [name, action]) => {
            let action = TrapAction::from_word(action).ok_or("no such action")?;
            let name = Some((*name).to_owned());
            let trap = Trap { handle, name, action: Some(action), ..Trap::default() };
            ("trap", Message::TrapSet(trap))
        }
        ("set-group", [name, policer]) => {
            let name = Some((*name).to_owned());
            let policer = Some(policer.parse()?);
            let group = TrapGroup { handle, name, policer, ..TrapGroup::default() };
            ("trap_group", Message::TrapGroupSet(group))
        }
        ("set-policer", [id, rate, burst]) => {
            let (id, rate, burst) = (Some(id.parse()?), Some(rate.parse()?), Some(burst.parse()?));
            let policer = TrapPolicer { handle, id, rate, burst, ..TrapPolicer::default() };
            ("trap_policer", Message::TrapPolicerSet(policer))
        }
        ("set-resource", [id, size]) => {
            let (id, size) = (Some(id.parse()?), Some(size.parse()?));
            let resource = Resources { handle, id, size, ..Resources::default() };
            ("resources", Message::ResourceSet(resource))
        }
        _ => return Err("unknown command".into()),
    })
}

async fn dump(client: &Client, key: &str, message: Message) -> Result<(), Failure> {
    for _ in 0..ATTEMPTS {
        let answer = client.dump(message.clone()).await?;
        if !answer.interrupted {
            return print(key, &answer);
        }
    }
    Err("objects came or went during each dump".into())
}

fn print(key: &str, answer: &Answer) -> Result<(), Failure> {
    if let Some(warning) = &answer.warning {
        eprintln!("Warning: {warning}");
    }
    if let Some(reason) = answer.undecodable.first() {
        return Err(reason.clone().into());
    }
    if !answer.messages.is_empty() {
        println!("{}", shape::document(key, &answer.messages));
    }
    Ok(())
}

/// A client of its own for each device that comes, so that what it opens is seen to be closed.
async fn watch(client: &Client) -> Result<(), Failure> {
    let mut monitor = Monitor::open(client)?;
    println!("ready");
    loop {
        match monitor.next().await? {
            Event::Message(message) => match *message {
                Message::DevNew(dev) => {
                    let handle = dev.handle;
                    let question = Trap { handle: handle.clone(), ..Trap::default() };
                    let asked = Client::connect().await?.dump(Message::TrapGet(question)).await;
                    match asked {
                        Ok(answer) => println!("new {handle} traps {}", answer.messages.len()),
                        Err(error) => println!("new {handle} {error}"),
                    }
                }
                Message::DevDel(dev) => println!("del {}", dev.handle),
                _ => {}
            },
            Event::Undecodable(reason) => println!("undecodable {reason}"),
            Event::Overrun => println!("overrun"),
        }
    }
}
