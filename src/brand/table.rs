//! The table. Accents are ours, chosen to be told apart and to be read on white; they are nobody's corporate colour.

use super::{Brand, Colour, Dress, Level, Province, SyntheticPlace};

/// The national provider, as citizens see it.
pub static NATIONAL: Dress = Dress {
    brand: Brand::known("national", "国家账号", "National Account"),
    accent: Colour(0x1F, 0x4E, 0x9E),
};

/// The development stand-ins: register, outbox, index of the demo.
pub static STAND_IN: Dress = Dress {
    brand: Brand::known("stand-in", "合符演示", "hefu demo"),
    accent: Colour(0x4A, 0x55, 0x68),
};

/// Places below 重庆市 that exist only in the demo: one per level, so that a chain runs through all five.
pub static SYNTHETIC: [SyntheticPlace; 4] = [
    SyntheticPlace {
        level: Level::City,
        zh: "示范区",
        en: "Demonstration District",
        brand: Dress {
            brand: Brand::known("shifanqu", "示范区政务", "Demonstration District Services"),
            accent: Colour(0x8A, 0x5A, 0x16),
        },
    },
    SyntheticPlace {
        level: Level::County,
        zh: "示范县",
        en: "Demonstration County",
        brand: Dress {
            brand: Brand::known("shifanxian", "示范县政务", "Demonstration County Services"),
            accent: Colour(0x2A, 0x7A, 0x5A),
        },
    },
    SyntheticPlace {
        level: Level::Township,
        zh: "示范镇",
        en: "Demonstration Township",
        brand: Dress {
            brand: Brand::known(
                "shifanzhen",
                "示范镇政务",
                "Demonstration Township Services",
            ),
            accent: Colour(0x2C, 0x5F, 0xA8),
        },
    },
    SyntheticPlace {
        level: Level::Village,
        zh: "示范村",
        en: "Demonstration Village",
        brand: Dress {
            brand: Brand::known("shifancun", "示范村便民", "Demonstration Village Services"),
            accent: Colour(0x3E, 0x7A, 0x3A),
        },
    },
];

/// In the order of GB/T 2260.
pub static PROVINCES: [Province; 31] = [
    province(
        11,
        "bj",
        "北京市",
        "Beijing",
        Brand::known("jingtong", "京通", "Jingtong"),
        Colour(0xA8, 0x32, 0x3E),
    ),
    province(
        12,
        "tj",
        "天津市",
        "Tianjin",
        Brand::known("jinxinban", "津心办", "Jinxinban"),
        Colour(0x1F, 0x6F, 0x8B),
    ),
    province(
        13,
        "he",
        "河北省",
        "Hebei",
        Brand::known("jishiban_he", "冀时办", "Jishiban"),
        Colour(0x2C, 0x5F, 0xA8),
    ),
    province(
        14,
        "sx",
        "山西省",
        "Shanxi",
        Brand::known("sanjintong", "三晋通", "Sanjintong"),
        Colour(0x8A, 0x5A, 0x16),
    ),
    province(
        15,
        "nm",
        "内蒙古自治区",
        "Inner Mongolia",
        Brand::known("mengsuban", "蒙速办", "Mengsuban"),
        Colour(0x1D, 0x6F, 0xA5),
    ),
    province(
        21,
        "ln",
        "辽宁省",
        "Liaoning",
        Brand::known("liaoshitong", "辽事通", "Liaoshitong"),
        Colour(0x2B, 0x5C, 0x9E),
    ),
    province(
        22,
        "jl",
        "吉林省",
        "Jilin",
        Brand::known("jishiban_jl", "吉事办", "Jishiban"),
        Colour(0x2A, 0x7A, 0x5A),
    ),
    province(
        23,
        "hl",
        "黑龙江省",
        "Heilongjiang",
        Brand::known("longyiban", "龙易办", "Longyiban"),
        Colour(0x2F, 0x6B, 0x7E),
    ),
    province(
        31,
        "sh",
        "上海市",
        "Shanghai",
        Brand::known("suishenban", "随申办", "Suishenban"),
        Colour(0xB0, 0x3A, 0x2E),
    ),
    province(
        32,
        "js",
        "江苏省",
        "Jiangsu",
        Brand::known("sufuban", "苏服办", "Sufuban"),
        Colour(0x0A, 0x7E, 0x6E),
    ),
    province(
        33,
        "zj",
        "浙江省",
        "Zhejiang",
        Brand::known("zheliban", "浙里办", "Zheliban"),
        Colour(0x23, 0x62, 0xB8),
    ),
    province(
        34,
        "ah",
        "安徽省",
        "Anhui",
        Brand::known("wanshitong", "皖事通", "Wanshitong"),
        Colour(0xA3, 0x40, 0x2F),
    ),
    province(
        35,
        "fj",
        "福建省",
        "Fujian",
        Brand::known("minzhengtong", "闽政通", "Minzhengtong"),
        Colour(0x1A, 0x6E, 0x9E),
    ),
    province(
        36,
        "jx",
        "江西省",
        "Jiangxi",
        Brand::known("ganfutong", "赣服通", "Ganfutong"),
        Colour(0xB2, 0x3A, 0x48),
    ),
    province(
        37,
        "sd",
        "山东省",
        "Shandong",
        Brand::known("aishandong", "爱山东", "Aishandong"),
        Colour(0x1E, 0x63, 0xA6),
    ),
    province(
        41,
        "ha",
        "河南省",
        "Henan",
        Brand::known("yushiban", "豫事办", "Yushiban"),
        Colour(0x96, 0x50, 0x1E),
    ),
    province(
        42,
        "hb",
        "湖北省",
        "Hubei",
        Brand::known("ehuiban", "鄂汇办", "Ehuiban"),
        Colour(0x27, 0x68, 0xA0),
    ),
    province(
        43,
        "hn",
        "湖南省",
        "Hunan",
        Brand::known("xiangyiban", "湘易办", "Xiangyiban"),
        Colour(0xB2, 0x38, 0x2E),
    ),
    province(
        44,
        "gd",
        "广东省",
        "Guangdong",
        Brand::known("yueshengshi", "粤省事", "Yueshengshi"),
        Colour(0x17, 0x69, 0xC2),
    ),
    province(
        45,
        "gx",
        "广西壮族自治区",
        "Guangxi",
        Brand::known("zhiguitong", "智桂通", "Zhiguitong"),
        Colour(0x2E, 0x75, 0x50),
    ),
    province(
        46,
        "hi",
        "海南省",
        "Hainan",
        Brand::known("haiyiban", "海易办", "Haiyiban"),
        Colour(0x0B, 0x7A, 0x9B),
    ),
    province(
        50,
        "cq",
        "重庆市",
        "Chongqing",
        Brand::known("yukuaiban", "渝快办", "Yukuaiban"),
        Colour(0xC2, 0x40, 0x2B),
    ),
    province(
        51,
        "sc",
        "四川省",
        "Sichuan",
        Brand::known("tianfutongban", "天府通办", "Tianfutongban"),
        Colour(0xA8, 0x45, 0x2A),
    ),
    province(
        52,
        "gz",
        "贵州省",
        "Guizhou",
        Brand::known("guirenfuwu", "贵人服务", "Guirenfuwu"),
        Colour(0x6B, 0x4B, 0xA3),
    ),
    province(
        53,
        "yn",
        "云南省",
        "Yunnan",
        Brand::known("banshitong", "办事通", "Banshitong"),
        Colour(0x3E, 0x7A, 0x3A),
    ),
    province(
        54,
        "xz",
        "西藏自治区",
        "Xizang",
        Brand::known("zangyitong", "藏易通", "Zangyitong"),
        Colour(0x9A, 0x4B, 0x3C),
    ),
    province(
        61,
        "sn",
        "陕西省",
        "Shaanxi",
        Brand::known("qinwuyuan", "秦务员", "Qinwuyuan"),
        Colour(0x8C, 0x4A, 0x2F),
    ),
    province(
        62,
        "gs",
        "甘肃省",
        "Gansu",
        Brand::known("gankuaiban", "甘快办", "Gankuaiban"),
        Colour(0x7A, 0x64, 0x20),
    ),
    province(
        63,
        "qh",
        "青海省",
        "Qinghai",
        Brand::known("qingsongban", "青松办", "Qingsongban"),
        Colour(0x1F, 0x7A, 0x6B),
    ),
    province(
        64,
        "nx",
        "宁夏回族自治区",
        "Ningxia",
        Brand::known("wodeningxia", "我的宁夏", "Wode Ningxia"),
        Colour(0x22, 0x78, 0x5A),
    ),
    province(
        65,
        "xj",
        "新疆维吾尔自治区",
        "Xinjiang",
        Brand::known("xinfuban", "新服办", "Xinfuban"),
        Colour(0x1F, 0x6C, 0x94),
    ),
];

const fn province(
    code: u8,
    iso: &'static str,
    zh: &'static str,
    en: &'static str,
    brand: Brand,
    accent: Colour,
) -> Province {
    Province {
        code,
        iso,
        zh,
        en,
        brand: Dress { brand, accent },
    }
}
