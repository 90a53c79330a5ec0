//! One stack of two: the program's, in which the interpreter's loop is, and the frames that the loop runs.
//!
//! Each time that the loop is entered it has a frame in the program's stack, and runs a group of Python's frames,
//! whose outermost is marked. From the outermost side the two are in step; innermost there may be a loop that has
//! not begun with its frame. A group is put where the loop's frame is, towards what it called.

use chandra_event::cpu_sample::UserFrame;

use super::frame;

/// What a frame of the program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It is not of the loop.
    Other,
    /// The loop's function, and the frame to show for it: that of its beginning, wherever it was.
    Loop(u64),
    /// The function of an instruction, which the loop's may have called or gone on to; and the same.
    Instruction(u64),
}

/// Two stacks of one moment, innermost first.
#[derive(Debug, Clone, Copy)]
pub struct Stacks<'a> {
    /// Frames of the program; see [`UserFrame`].
    pub native: &'a [u64],
    /// They are all there, to the outermost.
    pub is_native_whole: bool,
    /// Frames of Python; see [`frame`].
    pub python: &'a [u64],
    /// They are all there, to the outermost.
    pub is_python_whole: bool,
}

/// Puts them together. False where they do not fit: groups that have no loop are then put at the innermost one.
pub fn merge(stacks: &Stacks<'_>, part: impl Fn(UserFrame) -> Part, merged: &mut Vec<u64>) -> bool {
    let Stacks { native, python, .. } = *stacks;
    let loops = loops(native, part);
    let mut groups: Vec<&[u64]> = python.split_inclusive(|word| frame::is_entry(*word)).collect();
    // Below all there may be a border that no loop was entered at.
    if groups.len() > loops.len()
        && groups.last().is_some_and(|group| group.iter().all(|it| frame::is_border(*it)))
    {
        groups.pop();
    }
    let is_aligned_outermost = stacks.is_native_whole && stacks.is_python_whole;
    let extra = groups.len().saturating_sub(loops.len());
    // Of which loop the first group is.
    let skipped = match is_aligned_outermost {
        true => loops.len().saturating_sub(groups.len()),
        false => 0,
    };
    let fits = extra == 0 || !is_aligned_outermost;
    // Where there are too many groups, the first loop has several.
    let first = if is_aligned_outermost { extra } else { 0 };
    let group_of = |number: usize| -> &[&[u64]] {
        let Some(number) = number.checked_sub(skipped) else { return &[] };
        let range = match number {
            0 => 0..first + 1,
            _ => number + first..number + first + 1,
        };
        groups.get(range.start..range.end.min(groups.len())).unwrap_or_default()
    };
    let push = |groups: &[&[u64]], merged: &mut Vec<u64>| {
        let frames = groups.iter().flat_map(|group| group.iter());
        merged.extend(
            frames.filter(|it| !frame::is_border(**it)).map(|it| frame::without_entry(*it)),
        );
    };
    let mut from = 0;
    for (number, one) in loops.iter().enumerate() {
        merged.extend(native.get(from..one.first).unwrap_or_default());
        let groups = group_of(number);
        push(groups, merged);
        // One of them that runs nothing yet is shown as it is.
        match groups.is_empty() {
            true => merged.extend(native.get(one.first..one.behind).unwrap_or_default()),
            false => merged.push(one.shown),
        }
        from = one.behind;
    }
    merged.extend(native.get(from..).unwrap_or_default());
    if loops.is_empty() {
        push(&groups, merged);
        return groups.is_empty() || !stacks.is_native_whole;
    }
    if !is_aligned_outermost {
        // Loops that were not walked to are beyond what is there of the native stack.
        push(groups.get(loops.len()..).unwrap_or_default(), merged);
    }
    fits
}

/// A loop's frames in a stack: one, or two where its function called that of an instruction.
struct Loop {
    first: usize,
    behind: usize,
    shown: u64,
}

fn loops(native: &[u64], part: impl Fn(UserFrame) -> Part) -> Vec<Loop> {
    let mut loops: Vec<Loop> = Vec::new();
    let mut is_instruction = false;
    for (at, word) in native.iter().enumerate() {
        let found = part(UserFrame::unpack(*word));
        match (found, loops.last_mut()) {
            (Part::Loop(_), Some(last)) if is_instruction && last.behind == at => last.behind += 1,
            (Part::Loop(shown) | Part::Instruction(shown), _) => {
                loops.push(Loop { first: at, behind: at + 1, shown });
            }
            (Part::Other, _) => {}
        }
        is_instruction = matches!(found, Part::Instruction(_));
    }
    loops
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOP: u64 = 1 << 48 | 0x100;
    const OTHER: u64 = 1 << 48 | 0x500;
    const LIBRARY: u64 = 2 << 48 | 0x100;

    fn part(frame: UserFrame) -> Part {
        match (frame.executable, frame.place) {
            (1, 0x100..0x200) => Part::Loop(LOOP),
            (1, 0x200..0x300) => Part::Instruction(LOOP),
            _ => Part::Other,
        }
    }

    fn py(number: u32) -> u64 {
        frame::pack(number, 1)
    }

    fn entry(number: u32) -> u64 {
        frame::with_entry(py(number))
    }

    fn merged(native: &[u64], python: &[u64], whole: (bool, bool)) -> (Vec<u64>, bool) {
        let mut merged = Vec::new();
        let (is_native_whole, is_python_whole) = whole;
        let stacks = Stacks { native, is_native_whole, python, is_python_whole };
        let fits = merge(&stacks, part, &mut merged);
        (merged, fits)
    }

    const WHOLE: (bool, bool) = (true, true);

    #[test]
    fn each_group_is_where_its_loop_is() {
        let native = [LIBRARY, LOOP, OTHER, LIBRARY, LOOP, OTHER];
        let (found, fits) = merged(&native, &[py(5), entry(4), py(3), entry(2)], WHOLE);
        let expected = [LIBRARY, py(5), py(4), LOOP, OTHER, LIBRARY, py(3), py(2), LOOP, OTHER];
        assert_eq!((found.as_slice(), fits), (&expected[..], true));
    }

    #[test]
    fn a_loop_that_has_not_begun_has_no_group() {
        let (found, fits) = merged(&[LOOP, OTHER, LOOP], &[entry(2)], WHOLE);
        assert_eq!((found, fits), (vec![LOOP, OTHER, py(2), LOOP], true));
        // Nor has one whose border is all there is yet.
        let (found, _) = merged(&[LOOP, OTHER, LOOP], &[frame::BORDER, entry(2)], WHOLE);
        assert_eq!(found, [LOOP, OTHER, py(2), LOOP]);
    }

    #[test]
    fn a_border_below_all_is_none() {
        let (found, fits) = merged(&[LOOP, OTHER], &[py(2), frame::BORDER, frame::BORDER], WHOLE);
        assert_eq!((found, fits), (vec![py(2), LOOP, OTHER], true));
    }

    #[test]
    fn what_does_not_fit_is_there_all_the_same() {
        let (found, fits) = merged(&[LOOP, OTHER], &[entry(4), entry(3), entry(2)], WHOLE);
        assert_eq!((found, fits), (vec![py(4), py(3), py(2), LOOP, OTHER], false));
        let (found, fits) = merged(&[OTHER], &[entry(2)], WHOLE);
        assert_eq!((found, fits), (vec![OTHER, py(2)], false));
    }

    #[test]
    fn stacks_whose_ends_are_lost_are_in_step_from_the_innermost_side() {
        let (found, fits) = merged(&[LOOP, OTHER], &[entry(4), entry(3), entry(2)], (false, true));
        assert_eq!((found, fits), (vec![py(4), LOOP, OTHER, py(3), py(2)], true));
        let (found, fits) = merged(&[LOOP, OTHER, LOOP], &[py(5), entry(4)], (true, false));
        assert_eq!((found, fits), (vec![py(5), py(4), LOOP, OTHER, LOOP], true));
    }

    #[test]
    fn a_loop_is_shown_by_its_beginning_wherever_it_was() {
        let (found, _) = merged(&[LIBRARY, LOOP + 0x22, OTHER], &[entry(2)], WHOLE);
        assert_eq!(found, [LIBRARY, py(2), LOOP, OTHER]);
        let instruction = 1 << 48 | 0x210;
        let (found, _) = merged(&[LIBRARY, instruction, OTHER], &[entry(2)], WHOLE);
        assert_eq!(found, [LIBRARY, py(2), LOOP, OTHER]);
        // The function of the loop called that of the instruction: one loop.
        let native = [LIBRARY, instruction, LOOP + 8, OTHER, instruction, OTHER];
        let (found, fits) = merged(&native, &[entry(3), entry(2)], WHOLE);
        assert_eq!((found, fits), (vec![LIBRARY, py(3), LOOP, OTHER, py(2), LOOP, OTHER], true));
    }
}
