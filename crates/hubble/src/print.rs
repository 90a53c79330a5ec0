//! Flows as text: compact, dictionary and table as Hubble prints them, JSON, and beside these `wide`,
//! which adds what Chandra knows, and YAML.
//!
//! What a stranger chose (a name, a URL) reaches the terminal [escaped](chandra_event::text::escape).
//! Flows and losses go to one writer, what is said of nodes to another, as standard output and error.

mod name;
mod notice;
mod row;
mod style;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod wide;
mod words;
mod yaml;

use std::io::{self, Write};

use crate::json;
use crate::proto::flow::Flow;
use crate::proto::observer::GetFlowsResponse;
use crate::proto::observer::get_flows_response::ResponseTypes;
use row::Row;
use table::Table;

pub use time::TimeFormat;
pub use words::flow_type;

/// How flows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A line each.
    #[default]
    Compact,
    /// A line each, with processes, traffic, connection keys.
    Wide,
    /// A field a line.
    Dict,
    /// Columns; shown at the end.
    Table,
    /// A response as a line of JSON.
    Json,
    /// A response as a document of YAML.
    Yaml,
}

impl std::str::FromStr for Format {
    type Err = ();

    /// By Hubble's names.
    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "compact" => Format::Compact,
            "wide" => Format::Wide,
            "dict" => Format::Dict,
            "tab" | "table" => Format::Table,
            "json" | "jsonpb" | "JSON" => Format::Json,
            "yaml" => Format::Yaml,
            _ => return Err(()),
        })
    }
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How.
    pub format: Format,
    /// How times are written, in UTC.
    pub time_format: TimeFormat,
    /// Colours of a terminal.
    pub color: bool,
    /// The node of each flow.
    pub node_name: bool,
    /// The policies behind a verdict.
    pub policy_names: bool,
    /// Names instead of addresses.
    pub ip_translation: bool,
    /// Also what is said of nodes that are well.
    pub debug: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::Compact,
            time_format: TimeFormat::StampMilli,
            color: false,
            node_name: false,
            policy_names: false,
            ip_translation: true,
            debug: false,
        }
    }
}

/// Prints one response after another.
#[derive(Debug)]
pub struct Printer {
    options: Options,
    table: Table,
    printed: u64,
}

impl Printer {
    /// One that has printed nothing.
    pub fn new(mut options: Options) -> Self {
        // Columns are as wide as what is in them.
        options.color &= options.format != Format::Table;
        Self { options, table: Table::default(), printed: 0 }
    }

    /// Prints a response; what it says of nodes goes to `notices`.
    ///
    /// # Errors
    /// What a writer says.
    pub fn write(
        &mut self,
        response: &GetFlowsResponse,
        out: &mut impl Write,
        notices: &mut impl Write,
    ) -> io::Result<()> {
        match &response.response_types {
            None => Ok(()),
            Some(ResponseTypes::NodeStatus(status)) => {
                notice::node_status(response, status, &self.options, notices)
            }
            Some(ResponseTypes::Flow(flow)) => self.write_flow(flow, response, out),
            Some(ResponseTypes::LostEvents(lost)) => {
                let is_first = self.printed == 0;
                self.printed += 1;
                match self.options.format {
                    Format::Json | Format::Yaml => self.write_document(response, is_first, out),
                    Format::Table => {
                        let cells = notice::lost_cells(lost, &self.options);
                        self.write_row(cells, is_first, out)
                    }
                    _ => notice::lost(lost, &self.options, is_first, out),
                }
            }
        }
    }

    /// Prints what was held back for the width of columns.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.table.write(out)
    }

    fn write_flow(
        &mut self,
        flow: &Flow,
        response: &GetFlowsResponse,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let is_first = self.printed == 0;
        self.printed += 1;
        let row = || Row::of(flow, &self.options);
        match self.options.format {
            Format::Json | Format::Yaml => self.write_document(response, is_first, out),
            Format::Compact => writeln!(out, "{}", row().compact()),
            Format::Wide => writeln!(out, "{}{}", row().compact(), wide::details(flow)),
            Format::Dict => {
                let separator = if is_first { "" } else { notice::DICT_SEPARATOR };
                write!(out, "{separator}{}", row().dict())
            }
            Format::Table => {
                let cells = row().cells();
                self.write_row(cells, is_first, out)
            }
        }
    }

    fn write_row(
        &mut self,
        cells: Vec<String>,
        is_first: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if is_first {
            self.table.add(row::header(&self.options), out)?;
        }
        self.table.add(cells, out)
    }

    fn write_document(
        &self,
        response: &GetFlowsResponse,
        is_first: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let line = json::response_line(response).map_err(io::Error::other)?;
        if self.options.format == Format::Json {
            return writeln!(out, "{line}");
        }
        let value = serde_json::from_str(&line).map_err(io::Error::other)?;
        let separator = if is_first { "" } else { "---\n" };
        write!(out, "{separator}{}", yaml::document(&value))
    }
}
