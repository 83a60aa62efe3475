import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.lucene.analysis.standard.StandardTokenizer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;

/** Prints the tokens of Lucene's StandardTokenizer for each line of a file; see README.md. */
class Tokens {
    static String codes(String text) {
        return text.codePoints().mapToObj(c -> String.format("%04X", c)).collect(Collectors.joining(" "));
    }

    public static void main(String[] args) throws Exception {
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            if (line.startsWith("#")) {
                continue;
            }
            StringBuilder text = new StringBuilder();
            for (String code : line.split("[ ×÷]+")) {
                text.appendCodePoint(Integer.parseInt(code, 16));
            }
            List<String> tokens = new ArrayList<>();
            try (StandardTokenizer tokenizer = new StandardTokenizer()) {
                tokenizer.setReader(new StringReader(text.toString()));
                CharTermAttribute term = tokenizer.addAttribute(CharTermAttribute.class);
                tokenizer.reset();
                while (tokenizer.incrementToken()) {
                    tokens.add(codes(term.toString()));
                }
            }
            System.out.println(codes(text.toString()) + " :" + tokens.stream().map(token -> " " + token).collect(Collectors.joining(" ÷")));
        }
    }
}
