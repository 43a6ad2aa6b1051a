import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;

/** One H2 database, as worker.py does it: H2 DIRECTORY [turn]. */
class H2 {
    static Connection open(String directory, boolean inTurn) throws Exception {
        while (true) {
            try {
                return DriverManager.getConnection("jdbc:h2:file:" + directory + "/h;DB_CLOSE_ON_EXIT=FALSE");
            } catch (java.sql.SQLException refused) {
                if (!inTurn)
                    throw refused;
                Thread.sleep(10);
            }
        }
    }

    public static void main(String[] words) throws Exception {
        boolean inTurn = words.length > 1 && words[1].equals("turn");
        Connection connection = open(words[0], inTurn);
        try (Statement statement = connection.createStatement()) {
            statement.execute("create table if not exists t(x int)");
            statement.execute("insert into t values(1)");
        }
        System.out.println("open");
        if (inTurn)
            Thread.sleep(300);
        else
            System.in.read();
        long began = System.nanoTime();
        connection.close();
        System.out.printf("closed %.3f%n", (System.nanoTime() - began) / 1e9);
    }
}
