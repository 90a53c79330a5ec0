//! A flame graph as one SVG file: a picture by itself, and with its script a tool.
//!
//! It asks for nothing from anywhere. The script works on the boxes that are drawn; what was too narrow to draw
//! is a grey box, and stays one. All text in the file went through [`push_visible`] and [`push_xml`].

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::layout::{self, Content, Placed};
use crate::owner::Grouping;
use crate::profile::Profile;
use crate::text::{push_visible, push_xml};
use crate::tree::{Label, Tree};
use crate::{color, summary, units};

const SCRIPT: &str = include_str!("script.js");
const STYLE: &str = include_str!("style.css");

/// In pixels, as the script has them, too.
const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 10.0;
const TOP: usize = 74;
const ROW: usize = 17;
const BOX: usize = 16;
const CHARACTER: f64 = 7.25;

/// No name is longer in the file.
const MAX_NAME_CHARS: usize = 400;

/// What is drawn, and how much of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Its title.
    pub title: String,
    /// Whose stacks are apart.
    pub grouping: Grouping,
    /// Index of the value that makes frames wide.
    pub value: usize,
    /// What is too narrow.
    pub limits: layout::Limits,
}

/// Draws a profile.
///
/// # Errors
/// When it cannot be written.
pub fn write(profile: &Profile, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let tree = Tree::new(profile, options.grouping, &[options.value]);
    let total = |node| tree.total(node).first().copied().unwrap_or(0);
    let all = total(0);
    let (name, unit) = profile
        .value_types()
        .get(options.value)
        .map_or(("", ""), |it| (it.name.as_str(), it.unit.as_str()));
    let boxes = layout::place(&tree, |node| total(node) as f64, options.limits);
    let mut picture = Picture::new(&options.title, &summary::line(profile), &boxes);
    for placed in &boxes {
        match &placed.content {
            Content::Node(node) => {
                let own = tree.own(*node).first().copied().unwrap_or(0);
                let facts = format!(
                    "{}, {} of all; self {}, {}",
                    units::show(total(*node), name, unit),
                    units::percent(total(*node), all),
                    units::show(own, name, unit),
                    units::percent(own, all),
                );
                let label = tree.label(*node);
                picture.frame(placed, label, &[facts], &color::of(label));
            }
            Content::Rest { children, values } => {
                let value = values.first().copied().unwrap_or(0);
                let facts = format!(
                    "{}, {} of all",
                    units::show(value, name, unit),
                    units::percent(value, all)
                );
                picture.rest(placed, *children, &facts);
            }
        }
    }
    out.write_all(picture.finish().as_bytes())
}

/// An SVG that is being written.
pub(crate) struct Picture {
    out: String,
    height: usize,
}

impl Picture {
    pub(crate) fn new(title: &str, subtitle: &str, boxes: &[Placed]) -> Self {
        let rows = boxes.iter().map(|it| it.depth + 1).max().unwrap_or(0);
        let height = TOP + rows.max(1) * ROW + 30;
        let mut picture = Self { out: String::with_capacity(16_384 + boxes.len() * 256), height };
        picture.put(format_args!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" \
             version=\"1.1\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
             font-size=\"12\">\n<style>\n{STYLE}</style>\n\
             <rect id=\"ground\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text id=\"title\" x=\"{MARGIN}\" y=\"22\" font-size=\"16\">"
        ));
        picture.text(title, MAX_NAME_CHARS);
        picture.put(format_args!("</text>\n<text id=\"subtitle\" x=\"{MARGIN}\" y=\"42\">"));
        picture.text(subtitle, MAX_NAME_CHARS);
        picture.put(format_args!(
            "</text>\n<text id=\"details\" x=\"{MARGIN}\" y=\"62\">{}</text>\n<g id=\"frames\">\n",
            if boxes.is_empty() { "There are no samples." } else { "" }
        ));
        picture
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // A string takes whatever there is memory for.
        let _ = self.out.write_fmt(text);
    }

    fn text(&mut self, text: &str, max_chars: usize) {
        let mut visible = String::new();
        push_visible(&mut visible, text, max_chars);
        push_xml(&mut self.out, &visible);
    }

    /// A frame, with the lines that its tooltip has below its name and module.
    pub(crate) fn frame(
        &mut self,
        placed: &Placed,
        label: &Label,
        facts: &[String],
        color: &color::Hex,
    ) {
        self.out.push_str("<g class=\"f\"><title>");
        self.text(&label.name, MAX_NAME_CHARS);
        if !label.module.is_empty() || label.kind != crate::frame::Kind::Owner {
            self.out.push('\n');
            self.text(&label.module, MAX_NAME_CHARS);
            self.put(format_args!(
                "{}{}",
                if label.module.is_empty() { "" } else { ", " },
                label.kind.word()
            ));
        }
        for line in facts {
            self.out.push('\n');
            self.text(line, usize::MAX);
        }
        self.close(placed, &label.name, color);
    }

    /// What is too narrow to draw.
    pub(crate) fn rest(&mut self, placed: &Placed, children: usize, facts: &str) {
        let name = match children {
            1 => "[1 frame too narrow to draw]".to_owned(),
            children => format!("[{} frames too narrow to draw]", units::grouped(children as u64)),
        };
        self.put(format_args!("<g class=\"f rest\"><title>{name}\n"));
        self.text(facts, usize::MAX);
        self.close(placed, &name, &color::GREY);
    }

    fn close(&mut self, placed: &Placed, name: &str, color: &color::Hex) {
        let x = MARGIN + placed.x * (WIDTH - 2.0 * MARGIN);
        let width = placed.width * (WIDTH - 2.0 * MARGIN);
        let y = TOP + placed.depth * ROW;
        let color = color::text(color);
        self.put(format_args!(
            "</title><rect x=\"{x:.4}\" y=\"{y}\" width=\"{width:.4}\" height=\"{BOX}\" fill=\"{color}\"/>"
        ));
        let room = ((width - 6.0) / CHARACTER).max(0.0) as usize;
        if room >= 3 {
            self.put(format_args!("<text x=\"{:.4}\" y=\"{}\">", x + 3.0, y + 12));
            // The dots take a place.
            let mut visible = String::new();
            push_visible(&mut visible, name, MAX_NAME_CHARS);
            let fits = visible.chars().count() <= room;
            self.text(&visible, if fits { room } else { room - 1 });
            self.put(format_args!("</text>"));
        }
        self.put(format_args!("</g>\n"));
    }

    /// With lines below the boxes that explain colours.
    pub(crate) fn legend(&mut self, text: &str) {
        self.put(format_args!(
            "</g>\n<text id=\"legend\" x=\"{MARGIN}\" y=\"{}\">",
            self.height - 12
        ));
        self.text(text, usize::MAX);
        self.put(format_args!("</text>\n<g>"));
    }

    pub(crate) fn finish(mut self) -> String {
        self.put(format_args!("</g>\n<script>//<![CDATA[\n{SCRIPT}//]]></script>\n</svg>\n"));
        self.out
    }
}

#[cfg(test)]
mod tests;
