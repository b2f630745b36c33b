//! A tree as SVG, at the size of the text around it: the trunk goes down with a step to the side at each level, the rows below it hang
//! on one line with an elbow each. All lengths are in rem and nothing is scaled, so the picture is as legible at 320 pixels and in
//! elder mode as the page is; what a narrow screen has no room for is left out by the stylesheet.

/// Heights and widths in hundredths of a rem.
const ROW: usize = 325;
const STEP: usize = 100;
const GLYPH: usize = 110;
const INSET: usize = 30;
/// Names in half-widths of a Chinese character: what fits a phone in elder mode, a phone, a wide screen.
const NEAR: usize = 10;
const MIDDLE: usize = 16;
const FAR: usize = 44;

/// What is drawn for one entity.
#[derive(Debug, Clone)]
pub struct Node {
    pub name: String,
    pub url: String,
    pub condition: &'static str,
    pub kind: String,
    pub state: String,
    /// What only a wide screen has room for.
    pub far: String,
}

/// What is counted instead.
#[derive(Debug, Clone)]
pub struct More {
    pub text: String,
    pub url: String,
}

/// Positions are ready to be written: figures with two decimals, in rem.
#[derive(Debug, Clone)]
pub struct Drawing {
    pub height: String,
    pub rows: Vec<Row>,
    pub more: Vec<MoreRow>,
    pub lines: Vec<[String; 4]>,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub node: Node,
    /// The entity that is looked at.
    pub current: bool,
    /// The name, as far as each screen shows it, and whether there is still more.
    pub near: String,
    pub middle: String,
    pub far: String,
    pub more: bool,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub struct MoreRow {
    pub more: More,
    pub place: Place,
}

/// Where the parts of a row stand.
#[derive(Debug, Clone)]
pub struct Place {
    pub top: String,
    pub glyph_x: String,
    pub glyph_y: String,
    pub text_x: String,
    pub name_y: String,
    pub under_y: String,
}

impl Drawing {
    pub fn of(trunk: Vec<Node>, below: Vec<Node>, more: Vec<More>) -> Self {
        let (levels, count) = (trunk.len(), trunk.len() + below.len());
        let height = (count + more.len()) * ROW;
        let mut lines = Vec::new();
        for row in 1..count + more.len() {
            if levels == 0 {
                break;
            }
            // Down from the superior's glyph, then to the side.
            let superior = row.min(levels) - 1;
            let (x, y) = (middle(superior), row * ROW + ROW / 2);
            let from = superior * ROW + ROW / 2 + GLYPH / 2 + 10;
            let last = row < levels || row + 1 == count + more.len();
            if last {
                lines.push([rem(x), rem(from), rem(x), rem(y)]);
            }
            let to = x + STEP - GLYPH / 2 - 10;
            lines.push([rem(x), rem(y), rem(to), rem(y)]);
        }
        let rows = trunk.into_iter().chain(below).enumerate();
        Self {
            height: rem(height),
            rows: rows
                .map(|(at, node)| {
                    let ([near, middle, far], more) = cut(&node.name);
                    Row {
                        current: at + 1 == levels,
                        place: Place::of(at, at.min(levels)),
                        node,
                        near,
                        middle,
                        far,
                        more,
                    }
                })
                .collect(),
            more: more
                .into_iter()
                .enumerate()
                .map(|(at, more)| MoreRow {
                    place: Place::of(count + at, levels),
                    more,
                })
                .collect(),
            lines,
        }
    }
}

impl Row {
    /// Whether some screen does not show the whole name.
    pub fn is_cut(&self) -> bool {
        !self.middle.is_empty() || !self.far.is_empty() || self.more
    }
}

impl Place {
    fn of(row: usize, level: usize) -> Self {
        let (top, x) = (row * ROW, middle(level));
        Self {
            top: rem(top + 10),
            glyph_x: rem(x - GLYPH / 2),
            glyph_y: rem(top + (ROW - GLYPH) / 2),
            text_x: rem(x + GLYPH / 2 + 40),
            name_y: rem(top + 145),
            under_y: rem(top + 265),
        }
    }
}

fn middle(level: usize) -> usize {
    INSET + GLYPH / 2 + level * STEP
}

fn rem(hundredths: usize) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A name in up to three parts, and whether there is more. A part that is followed by another leaves room for dots.
fn cut(name: &str) -> ([String; 3], bool) {
    let mut parts = [const { String::new() }; 3];
    let whole: usize = name.chars().map(width).sum();
    let mut used = 0;
    for c in name.chars() {
        used += width(c);
        let fits = |most: usize| whole <= most || used < most;
        let at = match () {
            () if fits(NEAR) => 0,
            () if fits(MIDDLE) => 1,
            () if fits(FAR) => 2,
            () => return (parts, true),
        };
        parts[at].push(c);
    }
    (parts, false)
}

/// In halves of a Chinese character; everything from Hangul on is drawn wide, or may be.
fn width(c: char) -> usize {
    if c < '\u{1100}' { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_where_they_no_longer_fit() {
        let long = "重".repeat(40);
        for (name, near, middle, far, more) in [
            ("粤省事", 3, 0, 0, false),
            ("重庆市渝北", 5, 0, 0, false),
            ("重庆市渝北区政", 4, 3, 0, false),
            ("重庆市渝北区政务服务平台", 4, 3, 5, false),
            ("rp.example.gov.cn/portal", 9, 6, 9, false),
            (&long, 4, 3, 14, true),
        ] {
            let (parts, found) = cut(name);
            let lengths = parts.map(|part| part.chars().count());
            assert_eq!((lengths, found), ([near, middle, far], more), "{name}");
        }
    }

    #[test]
    fn rows_hang_on_the_last_of_the_trunk() {
        let node = |name: &str| Node {
            name: name.to_owned(),
            url: String::new(),
            condition: "good",
            kind: String::new(),
            state: String::new(),
            far: String::new(),
        };
        let more = More {
            text: "12".to_owned(),
            url: String::new(),
        };
        let drawn = Drawing::of(
            vec![node("anchor"), node("gd")],
            vec![node("a"), node("b")],
            vec![more],
        );
        assert_eq!(drawn.height, "16.25");
        let current: Vec<bool> = drawn.rows.iter().map(|row| row.current).collect();
        assert_eq!(current, [false, true, false, false]);
        // One line down per level, one to the side per row but the first.
        assert_eq!(drawn.lines.len(), 2 + 4);
        let steps: Vec<&str> = drawn
            .rows
            .iter()
            .map(|r| r.place.glyph_x.as_str())
            .collect();
        assert_eq!(steps, ["0.30", "1.30", "2.30", "2.30"]);
        assert_eq!(drawn.more[0].place.glyph_x, "2.30");
        assert!(
            Drawing::of(vec![], vec![node("a"), node("b")], vec![])
                .lines
                .is_empty()
        );
    }
}
