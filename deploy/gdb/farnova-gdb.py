"""farnova-gdb.py -- gdb shows little-endian types as numbers and checks the self-checking words of a pool.

    (gdb) source deploy/gdb/farnova-gdb.py
    (gdb) print inode->size                              le16, le32, le64: the value, in decimal and in hex
    (gdb) farnova word NOVA_WORD_TAIL OWNER EXPRESSION   the value of a word, or why it does not check
    (gdb) farnova owner NUMBER GENERATION                the owner of the words of an inode in one generation
    (gdb) farnova life EXPRESSION                        generation and state of a life word's value

server/nova/media/words.h says what a word is, enum nova_word_kind in format.h whose words have which owner.
"""
import gdb

LE_TYPES = {"le16": 2, "le32": 4, "le64": 8}
POLYNOMIAL = 0x82F63B78  # CRC32C, reflected


class LittleEndian:
    """The value of a le16, le32 or le64, which is a struct so that nobody reads it by mistake."""

    def __init__(self, value, size):
        self.value, self.size = value, size

    def to_string(self):
        stored = int(self.value["raw"]).to_bytes(self.size, BYTE_ORDER)
        number = int.from_bytes(stored, "little")
        return f"{number} (0x{number:x})"


def byte_order():
    return "big" if "big" in gdb.execute("show endian", to_string=True) else "little"


BYTE_ORDER = byte_order()


def lookup(value):
    name = value.type.unqualified().name
    return LittleEndian(value, LE_TYPES[name]) if name in LE_TYPES else None


lookup.name = "farnova"
gdb.pretty_printers[:] = [one for one in gdb.pretty_printers if getattr(one, "name", "") != "farnova"] + [lookup]


def number(expression):
    """What an expression is worth: a number, an enumerator, or one of the little-endian types."""
    value = gdb.parse_and_eval(expression)
    size = LE_TYPES.get(value.type.unqualified().name)
    if size:
        return int.from_bytes(int(value["raw"]).to_bytes(size, BYTE_ORDER), "little")
    return int(value) & 0xFFFFFFFFFFFFFFFF


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def word_crc(kind, owner, value):
    """Over the 15 bytes kind, owner, value, folded to 16 bits; never 0."""
    crc = crc32c(bytes([kind]) + owner.to_bytes(8, "little") + value.to_bytes(6, "little"))
    return (crc >> 16 ^ crc) & 0xFFFF or 0xFFFF


def word_kinds():
    return {field.name: int(field.enumval) for field in gdb.lookup_type("enum nova_word_kind").fields()}


def life_states():
    return {int(field.enumval): field.name for field in gdb.lookup_type("enum nova_life").fields()}


class Farnova(gdb.Command):
    """Words of a farnova pool: farnova word KIND OWNER EXPRESSION, farnova owner NUMBER GENERATION, farnova life EXPRESSION."""

    def __init__(self):
        super().__init__("farnova", gdb.COMMAND_DATA, prefix=True)


class Word(gdb.Command):
    """farnova word KIND OWNER EXPRESSION -- the value of a self-checking word, or why it does not check.
KIND is an enumerator of enum nova_word_kind. OWNER and EXPRESSION have no blanks, or are in quotation marks."""

    def __init__(self):
        super().__init__("farnova word", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        arguments = gdb.string_to_argv(argument)
        if len(arguments) != 3:
            raise gdb.GdbError("three arguments: KIND OWNER EXPRESSION")
        kind, owner, word = (number(one) for one in arguments)
        value, stored = word >> 16, word & 0xFFFF
        if word_crc(kind, owner, value) == stored:
            print(f"valid: {value} (0x{value:x})")
            return
        others = [name for name, other in word_kinds().items() if word_crc(other, owner, value) == stored]
        print(f"not valid: the value would be {value} (0x{value:x}), its CRC is 0x{stored:04x} and should be "
              f"0x{word_crc(kind, owner, value):04x}")
        for name in others:
            print(f"it is a valid {name} of that owner")


class Owner(gdb.Command):
    """farnova owner NUMBER GENERATION -- the owner of a tail, head or replica word, or of a log page's next word."""

    def __init__(self):
        super().__init__("farnova owner", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        arguments = gdb.string_to_argv(argument)
        if len(arguments) != 2:
            raise gdb.GdbError("two arguments: NUMBER GENERATION")
        owner = number(arguments[0]) ^ number(arguments[1]) << 32
        print(f"{owner} (0x{owner:x})")


class Life(gdb.Command):
    """farnova life EXPRESSION -- generation and state of a life word, which is not checked: see farnova word."""

    def __init__(self):
        super().__init__("farnova life", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        value = number(argument) >> 16
        state = value & 0xFF
        print(f"generation {value >> 8}, {life_states().get(state, f'state {state}, which there is not')}")


Farnova()
Word()
Owner()
Life()
