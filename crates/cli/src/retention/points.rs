//! `holdfast points`: what a database can be brought back to, where, and for how long.

use clap::Args;
use holdfast_core::retention::{Entry, Fate};
use serde_json::json;

use super::{Where, ask, prune, table};
use crate::backup::Output;
use crate::cloud::Cloud;
use crate::paint::Paint;
use crate::{Error, exit};

/// Show the backups of a database that are kept: from when, where, whether they are proven, why, and until when.
#[derive(Debug, Args)]
pub struct Points {
    /// The database.
    database: String,
    #[command(flatten)]
    at: Where,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when the function refused the input; `Aws` when it could not be asked.
pub async fn run(args: Points, table: String) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table).await;
    let input = json!({"action": "plan", "databases": [args.database], "regions": args.at.regions});
    let plan = ask(&cloud, &args.at.function, &input).await?;
    let mut points: Vec<&Entry> =
        plan.backups.iter().filter(|entry| entry.ours && entry.fate == Fate::Keep).collect();
    points.sort_by(|one, other| (other.taken_at, &one.region).cmp(&(one.taken_at, &other.region)));
    match args.output {
        Output::Table => {
            print!("{}", table::points(&args.at.of(&args.database), &points, &plan, Paint::for_stdout()))
        }
        Output::Json => println!("{:#}", json!(points)),
    }
    let code = prune::code(&plan);
    // Whoever asks in a script whether there is anything to go back to gets no for an answer.
    Ok(if points.is_empty() && code == exit::SUCCEEDED { exit::FAILED } else { code })
}
